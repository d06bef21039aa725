import { Badge, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { IconArrowsExchange, IconBan, IconCircleCheck, IconSearch, type TablerIcon } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { PlatformModel } from '@/api/endpoints';
import { taskName } from '@/lib/model';
import { Empty } from '@/ui/feedback';
import { Said } from '@/ui/said';
import { type Column, DataTable } from '@/ui/table';

const AVAILABILITY: Record<string, { words: string; color: string; icon: TablerIcon }> = {
  SERVED: { words: 'Served', color: 'teal', icon: IconCircleCheck },
  STAND_IN: { words: 'Another answers for it', color: 'yellow', icon: IconArrowsExchange },
  UNAVAILABLE: { words: 'Not served', color: 'gray', icon: IconBan },
};
const SHOWN = [
  { value: 'all', label: 'All' },
  { value: 'answers', label: 'Answers here' },
  { value: 'not', label: 'Does not' },
];

function Availability({ of }: { of: PlatformModel }) {
  const { words, color, icon: Icon } = AVAILABILITY[of.availability] ?? { words: of.availability, color: 'gray', icon: IconBan };
  return (
    <Badge color={color} variant="light" className="badge" leftSection={<Icon size={13} aria-hidden />}>
      {words}
    </Badge>
  );
}

const columns: Column<PlatformModel>[] = [
  {
    key: 'model',
    title: 'Model',
    sort: (one) => one.display_name,
    cell: (one) => (
      <Stack gap={0} miw={200}>
        <Text size="sm">{one.display_name}</Text>
        {one.availability === 'UNAVAILABLE' ? (
          <Text size="xs" c="dimmed" className="breaks">
            {one.name}
          </Text>
        ) : (
          <Link to="/endpoints/$name" params={{ name: one.name }} className="link breaks" style={{ fontSize: 12 }}>
            {one.name}
          </Link>
        )}
      </Stack>
    ),
  },
  { key: 'task', title: 'Task', sort: (one) => taskName(one.task), cell: (one) => taskName(one.task) },
  { key: 'availability', title: 'Here', sort: (one) => one.availability, cell: (one) => <Availability of={one} /> },
  {
    key: 'reason',
    title: 'Why',
    cell: (one) => (
      <Text size="sm" miw={220} maw={480}>
        {one.reason ? <Said words={one.reason} /> : '–'}
      </Text>
    ),
  },
];

/** The foundation models that openfm knows, and whether each answers on this machine. */
export function Catalogue({ models }: { models: readonly PlatformModel[] }) {
  const [words, setWords] = useState('');
  const [which, setWhich] = useState('all');
  const shown = models.filter(
    (one) => (which === 'all' || (one.availability !== 'UNAVAILABLE') === (which === 'answers')) && `${one.display_name} ${one.name} ${taskName(one.task)}`.toLowerCase().includes(words.trim().toLowerCase()),
  );
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        Foundation models that openfm knows. What is not served says what it lacks; nothing is fetched from this list.
      </Text>
      <Group>
        <TextInput aria-label="Filter the catalogue" placeholder="Model, endpoint or task" leftSection={<IconSearch size={16} aria-hidden />} value={words} onChange={(event) => setWords(event.currentTarget.value)} w={320} maw="100%" />
        <SegmentedControl data={SHOWN} value={which} onChange={setWhich} aria-label="Which models" />
      </Group>
      {shown.length === 0 ? <Empty title="No model is like that">Change the filter.</Empty> : <DataTable label="Catalogue" columns={columns} rows={shown} rowKey={(one) => one.name} />}
    </Stack>
  );
}
