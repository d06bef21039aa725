import { Badge, Box, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { useState } from 'react';

import { playground } from '@/features/playground/store';
import { readable } from '@/features/playground/tools';
import type { ToolCall, ToolMessage } from '@/features/playground/types';
import { inert } from '@/lib/inert';

/** Which functions the model called, with what. */
export function ToolCalls({ calls }: { calls: readonly ToolCall[] }) {
  return (
    <Stack gap="xs">
      {calls.map((call) => (
        <Box key={call.id} component="section" aria-label={`Call of ${call.name}`}>
          <Group gap="xs">
            <Badge variant="default" className="badge">
              Tool call
            </Badge>
            <Text size="sm" ff="monospace" className="breaks">
              {inert(call.name)}
            </Text>
          </Group>
          <pre className="call">{inert(readable(call.arguments))}</pre>
        </Box>
      ))}
    </Stack>
  );
}

/** What the functions gave is typed here; then the model goes on. */
export function ToolResults({ columnId, calls }: { columnId: string; calls: readonly ToolCall[] }) {
  const [results, setResults] = useState<Record<string, string>>({});
  const isWhole = calls.every((call) => (results[call.id] ?? '').trim() !== '');
  return (
    <Stack gap="xs">
      {calls.map((call) => (
        <Textarea
          key={call.id}
          label={`What ${inert(call.name)} gives`}
          placeholder='{"temperature": 21}'
          autosize
          minRows={2}
          maxRows={8}
          value={results[call.id] ?? ''}
          onChange={(event) => setResults({ ...results, [call.id]: event.currentTarget.value })}
        />
      ))}
      <Group>
        <Button size="xs" disabled={!isWhole} onClick={() => playground.respond(columnId, calls.map((call) => ({ callId: call.id, name: call.name, text: results[call.id] ?? '' })))}>
          {calls.length > 1 ? 'Send the results' : 'Send the result'}
        </Button>
      </Group>
    </Stack>
  );
}

export function ToolTurn({ message }: { message: ToolMessage }) {
  return (
    <Box className="turn" component="article" aria-label={`Result of ${message.name}`}>
      <Text size="xs" c="dimmed">
        {inert(message.name)} gave
      </Text>
      <Text size="sm" className="plain">
        {inert(message.text)}
      </Text>
    </Box>
  );
}
