import { Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';

import { Markdown } from '@/features/playground/markdown';
import { count } from '@/lib/format';
import { inert } from '@/lib/inert';

/** Above this a text is no longer read as Markdown, and shown piece by piece: the page stays quick whatever comes. */
const LONGEST_MARKDOWN = 30_000;
const LONGEST_LINE = 8_000;
const PIECE = 30_000;

/** A line is looked for from its end to its end: a pattern for long lines would look at each character many times. */
function hasLongLine(text: string): boolean {
  for (let start = 0; text.length - start > LONGEST_LINE; ) {
    const end = text.lastIndexOf('\n', start + LONGEST_LINE);
    if (end < start) return true;
    start = end + 1;
  }
  return false;
}

const isPlain = (text: string): boolean => text.length > LONGEST_MARKDOWN || hasLongLine(text);

/** What a model said. Nothing in it is run, followed or loaded. */
export function AnswerText({ text, isRunning, isRaw }: { text: string; isRunning: boolean; isRaw: boolean }) {
  const shown = inert(text.slice(0, LONGEST_MARKDOWN * 2));
  if (isRaw || isPlain(shown)) return <PlainText text={text} isRunning={isRunning} />;
  return <Markdown text={shown} isRunning={isRunning} />;
}

function PlainText({ text, isRunning }: { text: string; isRunning: boolean }) {
  const [limit, setLimit] = useState(PIECE);
  // While it comes the end is what people watch.
  const piece = isRunning ? text.slice(-PIECE) : text.slice(0, limit);
  const hidden = text.length - piece.length;
  return (
    <Stack gap="xs" align="flex-start">
      {isRunning && hidden > 0 && (
        <Text size="xs" c="dimmed">
          {count(hidden)} characters before this
        </Text>
      )}
      <div className="answer plain">{inert(piece)}</div>
      {!isRunning && hidden > 0 && (
        <Button size="xs" variant="default" onClick={() => setLimit(limit + PIECE)}>
          Show more ({count(hidden)} characters left)
        </Button>
      )}
    </Stack>
  );
}
