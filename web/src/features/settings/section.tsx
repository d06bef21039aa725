import { Button, Group, Stack, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import type { ReactNode } from 'react';

/** What a list is about, what can be added to it, and the list. */
export function Section({ words, action, onAction, children }: { words: ReactNode; action: string; onAction: () => void; children: ReactNode }) {
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed" style={{ flex: '1 1 260px' }} maw={820}>
          {words}
        </Text>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={onAction}>
          {action}
        </Button>
      </Group>
      {children}
    </Stack>
  );
}
