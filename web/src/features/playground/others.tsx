import { Button, Group, Paper, Stack, Text } from '@mantine/core';

import { AnswerText } from '@/features/playground/answer-text';

type OthersProps = { texts: readonly string[]; isRunning: boolean; isRaw: boolean; canPrefer: boolean; prefer: (other: number) => void };

/** The other answers, where several were asked for; the conversation goes on with the one that is chosen. */
export const Others = ({ texts, isRunning, isRaw, canPrefer, prefer }: OthersProps) => (
  <Stack gap="xs">
    {texts.map((text, at) => (
      <Paper key={at} withBorder p="sm" radius="md" component="section" aria-label={`Answer ${at + 2} of ${texts.length + 1}`}>
        <Group justify="space-between" gap="xs" mb={4}>
          <Text size="xs" c="dimmed">
            Answer {at + 2} of {texts.length + 1}
          </Text>
          {canPrefer && text !== '' && (
            <Button size="compact-xs" variant="subtle" onClick={() => prefer(at)}>
              Go on with answer {at + 2}
            </Button>
          )}
        </Group>
        <AnswerText text={text} isRunning={isRunning} isRaw={isRaw} />
      </Paper>
    ))}
  </Stack>
);
