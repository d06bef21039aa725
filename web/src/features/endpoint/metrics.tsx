import { Button, Group, Paper, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { IconDownload, IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { type Endpoint, endpointMetricsQuery } from '@/api/endpoints';
import { literal, type Row, sqlQuery } from '@/api/usage';
import { EnginesHour } from '@/features/endpoint/engines';
import { Promised } from '@/features/endpoint/promise';
import { csv, download } from '@/lib/files';
import { duration, short } from '@/lib/format';
import { gauges } from '@/lib/exposition';
import { filledBuckets, RANGES, type Span, spanBetween } from '@/lib/ranges';
import { Chart, type Point } from '@/ui/chart';
import { Empty, Loaded } from '@/ui/feedback';
import { useNow } from '@/ui/time';

const moment = (seconds: number): string => `TIMESTAMP '${new Date(seconds * 1000).toISOString().slice(0, 19)}'`;
const within = ({ seconds, end }: Span): string =>
  end === null ? `request_time > now()::TIMESTAMP - INTERVAL ${seconds} SECOND` : `request_time >= ${moment(end - seconds)} AND request_time < ${moment(end)}`;

const bucketed = (name: string, span: Span): string => {
  const { bucket } = span;
  return `SELECT floor(epoch(request_time) / ${bucket}) * ${bucket} AS "at", count(*) AS requests, count(*) FILTER (status_code BETWEEN 400 AND 499) AS refused, count(*) FILTER (status_code >= 500) AS failed, quantile_cont(execution_duration_ms, 0.5) AS p50, quantile_cont(execution_duration_ms, 0.9) AS p90, quantile_cont(execution_duration_ms, 0.99) AS p99, quantile_cont(time_to_first_token_ms, 0.5) AS ttft50, quantile_cont(time_to_first_token_ms, 0.99) AS ttft99, quantile_cont(CASE WHEN output_token_count > 1 AND time_to_first_token_ms IS NOT NULL THEN (execution_duration_ms - time_to_first_token_ms) / (output_token_count - 1) END, 0.5) AS tpot, avg(queue_ms) AS queued, sum(input_token_count) AS input, sum(output_token_count) AS output FROM system.serving.endpoint_usage WHERE endpoint_name = ${literal(name)} AND ${within(span)} GROUP BY "at" ORDER BY "at"`;
};

/** What the endpoint did, from the ledger; nothing else has to run for it. */
export function Metrics({ endpoint }: { endpoint: Endpoint }) {
  const [chosen, choose] = useState<Chosen>({ range: '1 h' });
  const span = spanOf(chosen);
  const everyMs = span.seconds <= 3600 ? 10_000 : 60_000;
  const query = useQuery({ ...sqlQuery('metrics', bucketed(endpoint.name, span)), refetchInterval: span.end === null ? everyMs : false });
  return (
    <Stack>
      <Now endpoint={endpoint} />
      <Group justify="space-between">
        <div className="scrolls">
          <SegmentedControl aria-label="Time range" data={[...Object.keys(RANGES), CUSTOM]} value={chosen.range} onChange={(value) => choose(chosenFrom(value, span))} size="xs" />
        </div>
        <Group gap="xs">
          <Button size="xs" variant="default" leftSection={<IconRefresh size={14} aria-hidden />} loading={query.isFetching} onClick={() => void query.refetch()}>
            Refresh
          </Button>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconDownload size={14} aria-hidden />}
            disabled={!query.data?.length}
            onClick={() => download(`${endpoint.name}-metrics.csv`, csv(Object.keys(query.data?.[0] ?? {}), query.data ?? []), 'text/csv')}
          >
            CSV
          </Button>
        </Group>
      </Group>
      {chosen.range === CUSTOM && <Between chosen={chosen} choose={choose} />}
      {isProvisioned(endpoint) && span.end === null && <Promised endpoint={endpoint} seconds={span.seconds} />}
      <Loaded query={query}>
        {(rows) => (rows.length === 0 ? <Empty title="No requests in this time">Choose a longer time, or ask the endpoint something.</Empty> : <Charts rows={rows} span={span} zoom={(from, to) => choose({ range: CUSTOM, from: local(from), to: local(to) })} />)}
      </Loaded>
      <EnginesHour name={endpoint.name} />
    </Stack>
  );
}

const CUSTOM = 'Custom';
type Chosen = { range: keyof typeof RANGES } | { range: typeof CUSTOM; from: string; to: string };

/** A moment as the browser's field for it wants it: in local time, without a zone. */
const local = (seconds: number): string => {
  const date = new Date(seconds * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
};
const customSpan = ({ from, to }: { from: string; to: string }): Span | null => spanBetween(Date.parse(from) / 1000, Date.parse(to) / 1000);
const spanOf = (chosen: Chosen): Span => (chosen.range === CUSTOM ? (customSpan(chosen) ?? RANGES['1 h']) : RANGES[chosen.range]);

/** A custom time begins as what is shown. */
function chosenFrom(value: string, { seconds, end }: Span): Chosen {
  if (value !== CUSTOM) return { range: value as keyof typeof RANGES };
  const to = end ?? Math.floor(Date.now() / 1000);
  return { range: CUSTOM, from: local(to - seconds), to: local(to) };
}

function Between({ chosen, choose }: { chosen: Extract<Chosen, { range: typeof CUSTOM }>; choose: (chosen: Chosen) => void }) {
  const problem = customSpan(chosen) === null ? 'Choose a beginning before the end, at most 90 days.' : undefined;
  return (
    <Group align="flex-start">
      <TextInput type="datetime-local" step={1} size="xs" label="From" value={chosen.from} onChange={(event) => choose({ ...chosen, from: event.currentTarget.value })} error={problem} />
      <TextInput type="datetime-local" step={1} size="xs" label="To" value={chosen.to} onChange={(event) => choose({ ...chosen, to: event.currentTarget.value })} />
    </Group>
  );
}

type ChartsProps = { rows: readonly Row[]; span: Span; zoom: (from: number, to: number) => void };

function Charts({ rows, span, zoom }: ChartsProps) {
  const now = useNow(10_000);
  const { bucket } = span;
  const zoomTo = (first: number, last: number): void => zoom(Number(points[first]?.at), Number(points[last]?.at) + bucket);
  const points: Point[] = filledBuckets(rows, span, now).map((point) => ({
    ...point,
    rate: (Number(point.requests ?? 0) * 60) / bucket,
    inputRate: Number(point.input ?? 0) / bucket,
    outputRate: Number(point.output ?? 0) / bucket,
  }));
  const perMinute = (value: number): string => short(Math.round(value * 10) / 10);
  return (
    <div className="charts">
      <Chart title="Requests per minute" kind="area" points={points} x="label" onZoom={zoomTo} format={perMinute} series={[{ name: 'rate', label: 'Requests', color: 'cyan.6' }]} />
      <Chart title="Errors" kind="bar" isStacked points={points} x="label" onZoom={zoomTo} format={short} series={[{ name: 'refused', label: '4xx', color: 'yellow.6' }, { name: 'failed', label: '5xx', color: 'red.6' }]} />
      <Chart title="Latency" kind="line" points={points} x="label" onZoom={zoomTo} format={duration} series={[{ name: 'p50', label: 'P50', color: 'cyan.6' }, { name: 'p90', label: 'P90', color: 'violet.5' }, { name: 'p99', label: 'P99', color: 'orange.6' }]} />
      <Chart title="Time to first token" kind="line" points={points} x="label" onZoom={zoomTo} format={duration} series={[{ name: 'ttft50', label: 'P50', color: 'cyan.6' }, { name: 'ttft99', label: 'P99', color: 'orange.6' }]} />
      <Chart title="Time per output token" kind="line" points={points} x="label" onZoom={zoomTo} format={duration} series={[{ name: 'tpot', label: 'P50', color: 'cyan.6' }]} />
      <Chart title="Tokens per second" kind="area" points={points} x="label" onZoom={zoomTo} format={perMinute} series={[{ name: 'inputRate', label: 'Input', color: 'violet.5' }, { name: 'outputRate', label: 'Output', color: 'cyan.6' }]} />
      <Chart title="Time in line" kind="line" points={points} x="label" onZoom={zoomTo} format={duration} series={[{ name: 'queued', label: 'Mean', color: 'cyan.6' }]} />
    </div>
  );
}

const isProvisioned = ({ config }: Endpoint): boolean =>
  config?.served_entities.some((entity) => entity.provisioned_model_units || entity.max_provisioned_throughput) ?? false;

const GAUGES: Record<string, [string, (value: number) => string]> = {
  request_count_total: ['Requests, last minute', short],
  provisioned_concurrent_requests_total: ['Sequences at once', short],
  cpu_usage_percentage: ['CPU', (value) => `${value.toFixed(0)} %`],
  mem_usage_percentage: ['Memory', (value) => `${value.toFixed(1)} %`],
  gpu_usage_percentage: ['GPU', (value) => `${value.toFixed(0)} %`],
  gpu_memory_usage_percentage: ['GPU memory', (value) => `${value.toFixed(0)} %`],
};

function Now({ endpoint }: { endpoint: Endpoint }) {
  const query = useQuery(endpointMetricsQuery(endpoint.name));
  const found = query.data === undefined ? {} : gauges(query.data);
  const shown = Object.entries(GAUGES).flatMap(([name, [label, format]]) => {
    const value = found[name];
    return value === undefined ? [] : [{ label, text: format(value) }];
  });
  if (shown.length === 0) return null;
  return (
    <Group gap="sm" component="section" aria-label="Now">
      {shown.map(({ label, text }) => (
        <Paper key={label} withBorder px="md" py="xs" radius="md">
          <Text size="xs" c="dimmed">
            {label}
          </Text>
          <Text fw={600} className="number">
            {text}
          </Text>
        </Paper>
      ))}
    </Group>
  );
}
