import { Button, Group, Text } from '@mantine/core';
import { useState } from 'react';

/** Which page of an answer is shown: each page's token is known from the one before. Begins anew with another `of`. */
export function useCursor(of: string): { token: string; page: number; next: (token: string) => void; back: () => void } {
  const [state, setState] = useState<{ of: string; tokens: string[] }>({ of, tokens: [] });
  const tokens = state.of === of ? state.tokens : [];
  return {
    token: tokens.at(-1) ?? '',
    page: tokens.length,
    next: (token) => setState({ of, tokens: [...tokens, token] }),
    back: () => setState({ of, tokens: tokens.slice(0, -1) }),
  };
}

type PagerProps = { cursor: ReturnType<typeof useCursor>; pageSize: number; shown: number; nextToken: string | undefined };

export function Pager({ cursor, pageSize, shown, nextToken }: PagerProps) {
  if (cursor.page === 0 && nextToken === undefined) return null;
  const first = cursor.page * pageSize;
  return (
    <Group justify="space-between">
      <Text size="sm" c="dimmed" aria-live="polite">
        {shown === 0 ? 'Nothing more' : `Rows ${first + 1}–${first + shown}`}
      </Text>
      <Group gap="xs">
        <Button variant="default" size="xs" onClick={cursor.back} disabled={cursor.page === 0}>
          Previous
        </Button>
        <Button variant="default" size="xs" onClick={() => cursor.next(nextToken ?? '')} disabled={nextToken === undefined}>
          Next
        </Button>
      </Group>
    </Group>
  );
}
