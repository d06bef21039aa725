import { Drawer, Group, Stack, Text, UnstyledButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';

import type { Endpoint } from '@/api/endpoints';
import { literal, type Row, sqlQuery } from '@/api/usage';
import { OneRequest } from '@/features/endpoint/request';
import { count, dateTime, duration, money } from '@/lib/format';
import { Copy } from '@/ui/copy';
import { Empty, Loaded } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => Number(value ?? 0);
const time = (row: Row): number => Date.parse(`${text(row.request_time)}Z`);

const columnsFor = (open: (id: string) => void): Column<Row>[] => [
  {
    key: 'time',
    title: 'Time',
    sort: time,
    cell: (row) => (
      <UnstyledButton className="link number" fz="sm" onClick={() => open(text(row.databricks_request_id))} aria-label={`Details of the request of ${dateTime(time(row))}`}>
        {dateTime(time(row))}
      </UnstyledButton>
    ),
  },
  { key: 'who', title: 'Requester', sort: (row) => text(row.requester), cell: (row) => text(row.requester) },
  { key: 'status', title: 'Status', sort: (row) => number(row.status_code), cell: (row) => `${number(row.status_code)} ${text(row.finish_reason)}` },
  { key: 'in', title: 'Input tokens', isNumber: true, sort: (row) => number(row.input_token_count), cell: (row) => count(number(row.input_token_count)) },
  { key: 'out', title: 'Output tokens', isNumber: true, sort: (row) => number(row.output_token_count), cell: (row) => count(number(row.output_token_count)) },
  { key: 'ttft', title: 'First token', isNumber: true, sort: (row) => number(row.time_to_first_token_ms), cell: (row) => (row.time_to_first_token_ms === null ? '–' : duration(number(row.time_to_first_token_ms))) },
  { key: 'total', title: 'Total', isNumber: true, sort: (row) => number(row.execution_duration_ms), cell: (row) => duration(number(row.execution_duration_ms)) },
  { key: 'cost', title: 'Cost', isNumber: true, cell: (row) => money(text(row.cost) || '0', text(row.currency)) },
  {
    key: 'id',
    title: 'Request id',
    cell: (row) => (
      <Group gap={4} wrap="nowrap">
        <Text size="xs" ff="monospace">
          {text(row.databricks_request_id).slice(0, 8)}
        </Text>
        <Copy value={text(row.databricks_request_id)} label="Copy the request id" />
      </Group>
    ),
  },
];

/** The endpoint's last requests in the ledger, as far as the caller may see them. */
export function Requests({ endpoint }: { endpoint: Endpoint }) {
  const [opened, open] = useState<string | null>(null);
  const columns = useMemo(() => columnsFor(open), []);
  const query = useQuery(
    sqlQuery(
      'requests',
      `SELECT request_time, requester, status_code, finish_reason, input_token_count, output_token_count, time_to_first_token_ms, execution_duration_ms, cost, currency, databricks_request_id FROM system.serving.endpoint_usage WHERE endpoint_name = ${literal(endpoint.name)} ORDER BY request_time DESC LIMIT 200`,
      200,
    ),
  );
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        The last 200 requests. Admins see everybody&apos;s, others their own.{' '}
        <Link to="/usage" search={{ endpoint: endpoint.name }} className="link-in-text">
          Open in Usage
        </Link>
      </Text>
      <Loaded query={query}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No requests yet">Ask it something under Query, or in the Playground; each request is here two seconds later.</Empty>
          ) : (
            <DataTable label="Requests" columns={columns} rows={rows} rowKey={(row) => text(row.databricks_request_id)} pageSize={25} />
          )
        }
      </Loaded>
      <Drawer opened={opened !== null} onClose={() => open(null)} position="right" size="lg" title="Request" closeButtonProps={{ 'aria-label': 'Close' }}>
        {opened !== null && <OneRequest endpoint={endpoint} id={opened} />}
      </Drawer>
    </Stack>
  );
}
