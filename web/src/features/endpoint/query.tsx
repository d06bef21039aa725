import { Button, Group, Paper, Stack, Text, Textarea, Title } from '@mantine/core';
import { IconDownload, IconSend } from '@tabler/icons-react';
import { useState } from 'react';

import { type Endpoint, openApiOf } from '@/api/endpoints';
import { authorizedFetch } from '@/api/http';
import { problem } from '@/api/session';
import { apiRoot, serverUrl } from '@/lib/base';
import { download } from '@/lib/files';
import { duration } from '@/lib/format';
import { exampleBody, querySamples } from '@/lib/samples';
import { Code, CodeTabs } from '@/ui/code';
import { ErrorPanel } from '@/ui/feedback';
import { refused } from '@/ui/notify';

type Answer = { body: string; ms: number; headers: [string, string][] };

const SHOWN_HEADERS = ['x-request-id', 'served-model-name', 'x-ratelimit-remaining-requests', 'x-ratelimit-remaining-tokens', 'x-openfm-utilization', 'x-openfm-spillover'];
const LONGEST = 200_000;

const parsed = (text: string): Record<string, unknown> | string => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : 'The body has to be one JSON object.';
  } catch (error) {
    return `This is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
};

/** One request as JSON, and the same in every client's words. */
export function Query({ endpoint }: { endpoint: Endpoint }) {
  const example = JSON.stringify(exampleBody(endpoint.task), null, 2);
  const [text, setText] = useState(example);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const body = parsed(text);

  const send = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    setAnswer(null);
    try {
      setAnswer(await ask(endpoint.name, text));
    } catch (refused) {
      setError(refused);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="charts">
      <Stack>
        <Textarea
          label="Request body"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          autosize
          minRows={8}
          maxRows={24}
          spellCheck={false}
          error={typeof body === 'string' ? body : undefined}
          styles={{ input: { fontFamily: 'var(--mono)', fontSize: 13 } }}
        />
        <Group>
          <Button onClick={() => void send()} loading={busy} disabled={typeof body === 'string'} leftSection={<IconSend size={16} aria-hidden />}>
            Send request
          </Button>
          <Button variant="default" onClick={() => setText(example)}>
            Show example
          </Button>
        </Group>
        <div aria-live="polite">
          {error !== null && <ErrorPanel error={error} title="The endpoint refused" />}
          {answer && <AnswerPanel answer={answer} />}
        </div>
      </Stack>
      <Paper withBorder p="md" radius="md" component="section" aria-labelledby="samples">
        <Title order={2} size="h4" id="samples" mb="xs">
          The same from a program
        </Title>
        <Text size="sm" c="dimmed" mb="sm">
          Put an access token into the variable OPENFM_TOKEN first.
        </Text>
        <Button
          size="xs"
          variant="default"
          mb="sm"
          leftSection={<IconDownload size={14} aria-hidden />}
          onClick={() => void openApiOf(endpoint.name).then((text) => download(`${endpoint.name}-openapi.json`, text, 'application/json')).catch(refused)}
        >
          OpenAPI document
        </Button>
        {typeof body !== 'string' && <CodeTabs label="request" samples={querySamples(serverUrl(), endpoint.name, endpoint.task, body)} />}
      </Paper>
    </div>
  );
}

async function ask(name: string, body: string): Promise<Answer> {
  const began = performance.now();
  const url = new URL(`serving-endpoints/${encodeURIComponent(name)}/invocations`, apiRoot());
  const answer = await authorizedFetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  if (!answer.ok) throw await problem(answer);
  const text = await answer.text();
  const headers = SHOWN_HEADERS.flatMap((header): [string, string][] => {
    const value = answer.headers.get(header);
    return value === null ? [] : [[header, value]];
  });
  return { body: pretty(text), ms: performance.now() - began, headers };
}

function pretty(text: string): string {
  if (text.length > LONGEST) return `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} characters more`;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // a stream's events
  }
}

function AnswerPanel({ answer }: { answer: Answer }) {
  return (
    <Stack gap="xs">
      <Text size="sm" fw={600}>
        Answered in {duration(answer.ms)}
      </Text>
      <Code text={answer.body} label="response" />
      {answer.headers.map(([name, value]) => (
        <Text key={name} size="xs" ff="monospace" className="breaks">
          {name}: {value}
        </Text>
      ))}
    </Stack>
  );
}
