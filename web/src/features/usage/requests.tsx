import { Badge, Button, Drawer, Group, Stack, UnstyledButton } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { sqlPageQuery, type SqlRow } from '@/api/sql';
import { literal } from '@/api/usage';
import { useUser } from '@/api/user';
import { CorrectionDialog } from '@/features/usage/correction-dialog';
import { Pager, useCursor } from '@/features/usage/cursor';
import { StatusSelect } from '@/features/usage/dashboard';
import { RequestsExport } from '@/features/usage/export';
import { FilterBar } from '@/features/usage/filter-bar';
import type { Filter, UsageSearch } from '@/parts/usage/filters';
import { requests } from '@/parts/usage/questions';
import { shownValue, textOf as text } from '@/lib/values';
import { count, duration, money } from '@/lib/format';
import { Empty, Loaded } from '@/ui/feedback';
import { RowFields } from '@/ui/row-fields';
import { type Column, DataTable } from '@/ui/table';
import { useNow } from '@/ui/time';

const PAGE = 50;
const counted = (value: unknown): string => (value === null ? '–' : count(Number(value)));
const timed = (value: unknown): string => (value === null ? '–' : duration(Number(value)));

/** Every request of the ledger, page by page from the server, however many there are. */
export function Requests({ search, filter }: { search: UsageSearch; filter: Filter }) {
  const now = useNow(60_000);
  const question = requests(search, now);
  const cursor = useCursor(question);
  const query = useQuery({ ...sqlPageQuery(question, PAGE, cursor.token), placeholderData: keepPreviousData });
  const [opened, open] = useState<string | null>(null);
  const columns: Column<SqlRow>[] = [
    {
      key: 'time',
      title: 'Time',
      cell: (row) => (
        <UnstyledButton className="link number" fz="sm" onClick={() => open(text(row.databricks_request_id))} aria-label={`Details of the request of ${shownTime(row)}`}>
          {shownTime(row)}
        </UnstyledButton>
      ),
    },
    { key: 'endpoint', title: 'Endpoint', cell: (row) => text(row.endpoint_name) },
    { key: 'who', title: 'User', cell: (row) => text(row.requester) },
    { key: 'status', title: 'Status', cell: (row) => <Status row={row} /> },
    { key: 'in', title: 'Input tokens', isNumber: true, cell: (row) => counted(row.input_token_count) },
    { key: 'out', title: 'Output tokens', isNumber: true, cell: (row) => counted(row.output_token_count) },
    { key: 'ttft', title: 'First token', isNumber: true, cell: (row) => timed(row.time_to_first_token_ms) },
    { key: 'total', title: 'Total', isNumber: true, cell: (row) => timed(row.execution_duration_ms) },
    { key: 'cost', title: 'Cost', isNumber: true, cell: (row) => (row.cost === null || row.currency === null ? '–' : money(text(row.cost), text(row.currency))) },
  ];
  return (
    <Stack>
      <FilterBar search={search} filter={filter}>
        <StatusSelect search={search} filter={filter} />
        <RequestsExport search={search} />
      </FilterBar>
      <Loaded query={query} lines={10}>
        {({ rows, next_page_token }) => (
          <>
            {rows.length === 0 ? (
              <Empty title="No requests">Nothing was asked in this time with these filters. Look at a longer time, or clear the filters.</Empty>
            ) : (
              <DataTable label="Requests" columns={columns} rows={rows} rowKey={(row) => text(row.databricks_request_id)} pageSize={PAGE} />
            )}
            <Pager cursor={cursor} pageSize={PAGE} shown={rows.length} nextToken={next_page_token} />
          </>
        )}
      </Loaded>
      <Drawer opened={opened !== null} onClose={() => open(null)} position="right" title="Request" closeButtonProps={{ 'aria-label': 'Close' }}>
        {opened !== null && <Details id={opened} />}
      </Drawer>
    </Stack>
  );
}

const shownTime = (row: SqlRow): string => text(row.request_time).replace('T', ' ').slice(0, 19);

function Status({ row }: { row: SqlRow }) {
  const code = shownValue(row.status_code);
  const status = Number(row.status_code ?? 0);
  const color = status === 0 || status >= 500 ? 'red' : status >= 400 ? 'yellow' : 'teal';
  return (
    <Badge variant="light" color={color} className="badge" miw="max-content">
      {code} {text(row.finish_reason)}
    </Badge>
  );
}

/** Everything that the ledger has of one request. */
function Details({ id }: { id: string }) {
  const user = useUser();
  const [isCorrected, correct] = useState(false);
  const query = useQuery(sqlPageQuery(`SELECT * EXCLUDE (account_id, workspace_id) FROM system.serving.endpoint_usage WHERE databricks_request_id = ${literal(id)}`, 1));
  return (
    <Loaded query={query}>
      {({ rows }) => (
        <Stack>
          <RowFields row={rows[0] ?? {}} />
          {user.is_admin && (
            <Group>
              <Button size="xs" variant="default" onClick={() => correct(true)}>
                Correct the cost
              </Button>
            </Group>
          )}
          {isCorrected && <CorrectionDialog requestId={id} onClose={() => correct(false)} />}
        </Stack>
      )}
    </Loaded>
  );
}
