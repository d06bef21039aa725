import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { sqlPageQuery, type SqlRow } from '@/api/sql';
import { type Filter, groupOf, GROUPS, type UsageSearch, whereOf } from '@/parts/usage/filters';
import { choices } from '@/parts/usage/questions';
import { textOf } from '@/lib/values';
import { csv, download } from '@/lib/files';
import { count, money } from '@/lib/format';
import { type Column, DataTable } from '@/ui/table';
import { useNow } from '@/ui/time';

const FIELDS = ['part', 'currency', 'requests', 'errors', 'input', 'cached', 'output', 'cost'];
const of = (row: SqlRow, name: string): number => Number(row[name] ?? 0);
const numbers = (key: string, title: string): Column<SqlRow> => ({ key, title, isNumber: true, sort: (row) => of(row, key), cell: (row) => count(of(row, key)) });
const partOf = (row: SqlRow): string => textOf(row.part);

/** Who or what used how much, exactly; a row for each part and currency. */
export function Breakdown({ rows, hasMore, search, filter }: { rows: readonly SqlRow[]; hasMore: boolean; search: UsageSearch; filter: Filter }) {
  const group = groupOf(search.by);
  const columns: Column<SqlRow>[] = [
    { key: 'part', title: group.label, sort: partOf, cell: (row) => <span className="breaks">{partOf(row) || '–'}</span> },
    numbers('requests', 'Requests'),
    numbers('errors', 'Errors'),
    numbers('input', 'Input tokens'),
    numbers('cached', 'of them cached'),
    numbers('output', 'Output tokens'),
    { key: 'cost', title: 'Cost', isNumber: true, sort: (row) => of(row, 'cost'), cell: (row) => (row.currency === null ? '–' : money(String(row.cost), textOf(row.currency))) },
  ];
  const lines = rows.map((row) => Object.fromEntries(FIELDS.map((name) => [name === 'part' ? group.key : name, row[name]])));
  const name = `usage-by-${group.key.replace(':', '-')}`;
  const fields = FIELDS.map((one) => (one === 'part' ? group.key : one));
  return (
    <div>
      <Stack gap="sm">
        <Group justify="space-between" align="flex-end">
          <Text component="h2" fw={600} m={0}>
            Who used what
          </Text>
          <Group align="flex-end" gap="xs">
            <GroupSelect search={search} filter={filter} />
            <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={() => download(`${name}.csv`, csv(fields, lines), 'text/csv')}>
              CSV
            </Button>
            <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={() => download(`${name}.json`, JSON.stringify(lines, null, 2), 'application/json')}>
              JSON
            </Button>
          </Group>
        </Group>
        {hasMore && <Text size="sm">There is more than is shown here: choose a filter, or ask in SQL.</Text>}
        <DataTable label="Who used what" columns={columns} rows={rows} rowKey={(row) => `${partOf(row)} ${textOf(row.currency)}`} pageSize={25} />
      </Stack>
    </div>
  );
}

function GroupSelect({ search, filter }: { search: UsageSearch; filter: Filter }) {
  const now = useNow(60_000);
  const [isOpened, setOpened] = useState(false);
  const tags = useQuery({ ...sqlPageQuery(choices(whereOf({ range: search.range }, now)), 1_000), enabled: isOpened, staleTime: 60_000 });
  const chosen = groupOf(search.by).key;
  const keys = (tags.data?.rows ?? []).filter((row) => row.kind === 'tag').map((row) => `tag:${String(row.value)}`);
  const shown = chosen.startsWith('tag:') && !keys.includes(chosen) ? [chosen, ...keys] : keys;
  return (
    <Select
      label="Group by"
      data={[...Object.entries(GROUPS).map(([value, { label }]) => ({ value, label })), ...shown.map((value) => ({ value, label: `Tag ${value.slice(4)}` }))]}
      value={chosen}
      onChange={(by) => filter({ by: by ?? undefined })}
      onDropdownOpen={() => setOpened(true)}
      allowDeselect={false}
      w={180}
    />
  );
}
