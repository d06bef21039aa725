import { Button, Group, Menu, Paper, SegmentedControl, Select, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';

import { budgetsQuery, type Budget, invoice, literal, type ReportLine, reportQuery, type Row, sqlQuery } from '@/api/usage';
import { csv, download } from '@/lib/files';
import { count, duration, isoDay, money, short } from '@/lib/format';
import { Empty, ErrorPanel, Loaded, Loading } from '@/ui/feedback';
import { Page } from '@/ui/page';
import { type Column, DataTable } from '@/ui/table';

const UsageCharts = lazy(() => import('@/features/usage/charts').then((it) => ({ default: it.UsageCharts })));

const DAYS: Record<string, number> = { '24 hours': 1, '7 days': 7, '30 days': 30, '90 days': 90 };
const DAY_MS = 86_400_000;

export function UsagePage() {
  const { range = '30 days', endpoint } = useSearch({ from: '/usage' });
  const navigate = useNavigate({ from: '/usage' });
  const days = DAYS[range] ?? 30;
  const where = `${endpoint ? `endpoint_name = ${literal(endpoint)} AND ` : ''}request_time > now()::TIMESTAMP - INTERVAL ${days} DAY`;
  const endpoints = useQuery(sqlQuery('names', 'SELECT DISTINCT endpoint_name FROM openfm.usage_daily ORDER BY endpoint_name')).data ?? [];
  return (
    <Page title="Usage" subtitle="From the ledger: each request once, with what it cost. Times are in UTC." actions={<InvoiceMenu />}>
      <Group justify="space-between" align="flex-end">
        <div className="scrolls">
          <SegmentedControl aria-label="Time range" data={Object.keys(DAYS)} value={range} onChange={(value) => void navigate({ search: (before) => ({ ...before, range: value }), replace: true })} size="xs" />
        </div>
        <Select
          label="Endpoint"
          placeholder="All"
          data={endpoints.map((row) => String(row.endpoint_name))}
          value={endpoint ?? null}
          onChange={(chosen) => void navigate({ search: (before) => ({ ...before, endpoint: chosen ?? undefined }), replace: true })}
          clearable
          searchable
          clearButtonProps={{ 'aria-label': 'All endpoints' }}
          w={280}
        />
      </Group>
      <Cards where={where} />
      <Suspense fallback={<Loading />}>
        <UsageCharts where={where} days={days} />
      </Suspense>
      <Reports days={days} />
      <Budgets />
    </Page>
  );
}

function Cards({ where }: { where: string }) {
  const query = useQuery(
    sqlQuery(
      'cards',
      `SELECT currency, count(*) AS requests, coalesce(sum(input_token_count), 0) AS input, coalesce(sum(output_token_count), 0) AS output, coalesce(sum(cost), 0) AS cost, count(*) FILTER (status_code >= 400) AS errors, quantile_cont(time_to_first_token_ms, 0.99) AS ttft FROM system.serving.endpoint_usage WHERE ${where} GROUP BY currency ORDER BY requests DESC`,
    ),
  );
  return <Loaded query={query}>{(rows) => <CardRow rows={rows} />}</Loaded>;
}

function CardRow({ rows }: { rows: readonly Row[] }) {
  const sum = (name: string): number => rows.reduce((total, row) => total + Number(row[name] ?? 0), 0);
  const requests = sum('requests');
  const slowest = Math.max(0, ...rows.map((row) => Number(row.ttft ?? 0)));
  const cards = [
    ['Requests', count(requests)],
    ['Input tokens', short(sum('input'))],
    ['Output tokens', short(sum('output'))],
    ['Cost', rows.map((row) => money(row.cost as string, row.currency as string)).join(', ') || '0'],
    ['Errors', requests ? `${((100 * sum('errors')) / requests).toFixed(1)} %` : '–'],
    ['First token, P99', slowest > 0 ? duration(slowest) : '–'],
  ] as const;
  return (
    <div className="tiles">
      {cards.map(([label, text]) => (
        <Paper key={label} withBorder p="md" radius="md">
          <Text size="xs" c="dimmed">
            {label}
          </Text>
          <Text fw={600} size="lg" className="number breaks" style={{ whiteSpace: 'normal' }}>
            {text}
          </Text>
        </Paper>
      ))}
    </div>
  );
}

const GROUPS = [
  { value: 'endpoint', label: 'Endpoint' },
  { value: 'principal', label: 'Who asked' },
  { value: 'day', label: 'Day' },
];

function Reports({ days }: { days: number }) {
  const [by, setBy] = useState('endpoint');
  const today = Date.now();
  const query = useQuery(reportQuery(by, isoDay(today - (days - 1) * DAY_MS), isoDay(today)));
  const columns: Column<ReportLine>[] = [
    { key: 'key', title: GROUPS.find((one) => one.value === by)?.label ?? 'Tag', sort: (one) => one.key ?? '', cell: (one) => one.key ?? '–' },
    { key: 'requests', title: 'Requests', isNumber: true, sort: (one) => one.requests, cell: (one) => count(one.requests) },
    { key: 'prompt', title: 'Input tokens', isNumber: true, sort: (one) => one.prompt_tokens, cell: (one) => count(one.prompt_tokens) },
    { key: 'cached', title: 'of them cached', isNumber: true, sort: (one) => one.cached_tokens, cell: (one) => count(one.cached_tokens) },
    { key: 'completion', title: 'Output tokens', isNumber: true, sort: (one) => one.completion_tokens, cell: (one) => count(one.completion_tokens) },
    { key: 'cost', title: 'Cost', isNumber: true, sort: (one) => Number(one.amount), cell: (one) => money(one.amount, one.currency) },
  ];
  const save = (format: 'csv' | 'json'): void => {
    const lines = query.data?.lines ?? [];
    if (format === 'json') download(`usage-by-${by}.json`, JSON.stringify(query.data, null, 2), 'application/json');
    else download(`usage-by-${by}.csv`, csv(['key', 'currency', 'requests', 'prompt_tokens', 'cached_tokens', 'completion_tokens', 'amount'], lines), 'text/csv');
  };
  return (
    <section aria-labelledby="report-title">
      <Stack gap="sm">
        <Group justify="space-between" align="flex-end">
          <Text component="h2" id="report-title" fw={600} m={0}>
            Who used what
          </Text>
          <Group align="flex-end">
            <Select label="By" data={GROUPS} value={by} onChange={(chosen) => setBy(chosen ?? 'endpoint')} allowDeselect={false} w={160} />
            <Button variant="default" onClick={() => save('csv')} disabled={!query.data?.lines.length}>
              CSV
            </Button>
            <Button variant="default" onClick={() => save('json')} disabled={!query.data?.lines.length}>
              JSON
            </Button>
          </Group>
        </Group>
        <Loaded query={query}>
          {(report) =>
            report.lines.length === 0 ? (
              <Empty title="Nothing was used in this time">Ask an endpoint something in the Playground; it is here two seconds later.</Empty>
            ) : (
              <DataTable label="Usage" columns={columns} rows={report.lines} rowKey={(one) => `${one.key ?? ''} ${one.currency}`} pageSize={25} />
            )
          }
        </Loaded>
      </Stack>
    </section>
  );
}

const budgets: Column<Budget>[] = [
  { key: 'name', title: 'Budget', sort: (one) => one.name, cell: (one) => one.name },
  { key: 'for', title: 'For', cell: (one) => (one.target ? `${one.scope.replaceAll('_', ' ')} ${one.target}` : 'Everybody') },
  { key: 'spent', title: 'Spent', isNumber: true, cell: (one) => money(one.spent, one.currency) },
  { key: 'amount', title: 'Of', isNumber: true, cell: (one) => `${money(one.amount, one.currency)} a ${one.period}` },
  { key: 'percent', title: 'Used', isNumber: true, sort: (one) => one.percent ?? 0, cell: (one) => `${one.percent ?? 0} %` },
  { key: 'action', title: 'At the end', cell: (one) => (one.action === 'stop' ? 'Requests are refused' : 'Alert only') },
];

function Budgets() {
  const query = useQuery(budgetsQuery);
  if (!query.data?.length) return null;
  return (
    <section aria-labelledby="budgets-title">
      <Text component="h2" id="budgets-title" fw={600} mt={0} mb="sm">
        Budgets
      </Text>
      <DataTable label="Budgets" columns={budgets} rows={query.data} rowKey={(one) => one.name} />
    </section>
  );
}

function InvoiceMenu() {
  const [error, setError] = useState<unknown>(null);
  const month = (ago: number): string => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, 1)).toISOString().slice(0, 7);
  };
  const save = (when: string): void => {
    setError(null);
    invoice(when, 'csv').then((text) => download(`invoice-${when}.csv`, text, 'text/csv'), setError);
  };
  return (
    <Stack gap="xs" align="flex-end">
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />}>
            Invoice
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {[0, 1, 2].map(month).map((when, index) => (
            <Menu.Item key={when} onClick={() => save(when)}>
              {when}
              {index === 0 ? ' (so far)' : ''}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {error !== null && <ErrorPanel error={error} title="There is no invoice" />}
    </Stack>
  );
}
