import { Badge, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { Model } from '@/api/models';
import { Empty } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';
import { Ago } from '@/ui/time';

const columns: Column<Model>[] = [
  {
    key: 'name',
    title: 'Name',
    sort: (one) => one.full_name,
    cell: (one) => (
      <Stack gap={0} miw={220}>
        <Link to="/models/$name" params={{ name: one.full_name }} className="link breaks">
          {one.full_name}
        </Link>
        {one.comment && (
          <Text size="xs" c="dimmed" lineClamp={2} maw={520}>
            {one.comment}
          </Text>
        )}
      </Stack>
    ),
  },
  {
    key: 'aliases',
    title: 'Aliases',
    cell: (one) =>
      one.aliases?.length ? (
        <Group gap={4}>
          {one.aliases.map(({ alias_name, version_num }) => (
            <Badge key={alias_name} variant="default" className="badge">
              {alias_name} → {version_num}
            </Badge>
          ))}
        </Group>
      ) : (
        '–'
      ),
  },
  { key: 'owner', title: 'Owner', sort: (one) => one.owner, cell: (one) => one.owner },
  { key: 'updated', title: 'Last modified', sort: (one) => one.updated_at, cell: (one) => <Ago ms={one.updated_at} /> },
];

/** The models that are here, of those that the caller may use. */
export function Installed({ models, onImport }: { models: readonly Model[]; onImport: () => void }) {
  const [words, setWords] = useState('');
  const shown = models.filter((one) => `${one.full_name} ${one.comment} ${one.owner}`.toLowerCase().includes(words.trim().toLowerCase()));
  if (models.length === 0)
    return (
      <Empty title="No models yet" action={<Button onClick={onImport}>Import a model</Button>}>
        Fetch one from the Hugging Face hub, or send files of yours.
      </Empty>
    );
  return (
    <Stack gap="sm">
      <TextInput aria-label="Filter models" placeholder="Name, comment or owner" leftSection={<IconSearch size={16} aria-hidden />} value={words} onChange={(event) => setWords(event.currentTarget.value)} maw={320} />
      {shown.length === 0 ? <Empty title="No model is like that">Change the filter.</Empty> : <DataTable label="Models" columns={columns} rows={shown} rowKey={(one) => one.full_name} initialSort={{ key: 'name', descending: false }} />}
    </Stack>
  );
}
