import { ActionIcon, Button, Group, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';

import type { Draft } from '@/features/endpoints/draft';
import { RateLimits } from '@/parts/rate-limits';

export type PartProps = { draft: Draft; put: (change: Partial<Draft>) => void };

/** Limits, fallbacks and what is kept: all of it can be changed later, on the endpoint's page. */
export function Gateway({ draft, put }: PartProps) {
  const { gateway } = draft;
  const set = (change: Partial<Draft['gateway']>): void => put({ gateway: { ...gateway, ...change } });
  const name = (change: Partial<Draft['gateway']['table']>): void => set({ table: { ...gateway.table, ...change } });
  return (
    <Stack gap="sm" component="section" aria-label="AI gateway">
      <Title order={2} size="h4">
        AI gateway
      </Title>
      <Text size="sm" c="dimmed">
        Usage is always tracked: each request is in the ledger, with its tokens and its cost.
      </Text>
      <RateLimits drafts={draft.limits} onChange={(limits) => put({ limits })} />
      {draft.entities.length > 1 && (
        <Switch label="Fallbacks" description="A request that fails goes on to the next served entity" checked={gateway.hasFallback} onChange={(event) => set({ hasFallback: event.currentTarget.checked })} />
      )}
      <Switch label="Inference table" description="Keeps what is asked and answered, for whoever can manage the endpoint" checked={gateway.isKept} onChange={(event) => set({ isKept: event.currentTarget.checked })} />
      {gateway.isKept && (
        <Group>
          <TextInput label="Catalog" placeholder="main" value={gateway.table.catalog_name} onChange={(event) => name({ catalog_name: event.currentTarget.value })} />
          <TextInput label="Schema" placeholder="default" value={gateway.table.schema_name} onChange={(event) => name({ schema_name: event.currentTarget.value })} />
          <TextInput label="Table name begins with" placeholder="The endpoint’s name" value={gateway.table.table_name_prefix} onChange={(event) => name({ table_name_prefix: event.currentTarget.value })} />
        </Group>
      )}
    </Stack>
  );
}

export function Tags({ draft, put }: PartProps) {
  const change = (index: number, patch: { key?: string; value?: string }): void => put({ tags: draft.tags.map((tag, at) => (at === index ? { ...tag, ...patch } : tag)) });
  return (
    <Stack gap="xs">
      <Title order={2} size="h4">
        Tags
      </Title>
      {draft.tags.map((tag, index) => (
        <Group key={index} gap="xs" align="flex-end">
          <TextInput label="Key" value={tag.key} onChange={(event) => change(index, { key: event.currentTarget.value })} />
          <TextInput label="Value" value={tag.value} onChange={(event) => change(index, { value: event.currentTarget.value })} />
          <ActionIcon variant="subtle" color="red" size="lg" aria-label={`Remove tag ${index + 1}`} onClick={() => put({ tags: draft.tags.filter((_, at) => at !== index) })}>
            <IconTrash size={16} />
          </ActionIcon>
        </Group>
      ))}
      <Group>
        <Button variant="default" size="xs" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => put({ tags: [...draft.tags, { key: '', value: '' }] })}>
          Add a tag
        </Button>
      </Group>
    </Stack>
  );
}
