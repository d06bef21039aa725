import { useQuery } from '@tanstack/react-query';

import { type Row, sqlQuery } from '@/api/usage';
import { duration, short } from '@/lib/format';
import { filledBuckets, type RANGES } from '@/lib/ranges';
import { Chart } from '@/ui/chart';
import { Loaded } from '@/ui/feedback';
import { useNow } from '@/ui/time';

const BUCKETS: Record<number, { range: keyof typeof RANGES; seconds: number }> = {
  1: { range: '24 h', seconds: 1_800 },
  7: { range: '7 days', seconds: 10_800 },
  30: { range: '30 days', seconds: 86_400 },
};

/** What was used over time; the time is cut into pieces by the server, so a million rows are a few hundred points. */
export function UsageCharts({ where, days }: { where: string; days: number }) {
  const { range, seconds } = BUCKETS[days] ?? { range: '30 days' as const, seconds: 86_400 };
  const query = useQuery(
    sqlQuery(
      'usage',
      `SELECT floor(epoch(request_time) / ${seconds}) * ${seconds} AS "at", count(*) AS requests, count(*) FILTER (status_code BETWEEN 400 AND 499) AS refused, count(*) FILTER (status_code >= 500) AS failed, quantile_cont(execution_duration_ms, 0.5) AS p50, quantile_cont(execution_duration_ms, 0.9) AS p90, quantile_cont(execution_duration_ms, 0.99) AS p99, sum(input_token_count) AS input, sum(output_token_count) AS output, sum(cost)::DOUBLE AS cost FROM system.serving.endpoint_usage WHERE ${where} GROUP BY "at" ORDER BY "at"`,
    ),
  );
  return <Loaded query={query}>{(rows) => (rows.length === 0 ? null : <Charts rows={rows} range={days > 30 ? null : range} />)}</Loaded>;
}

const dayOf = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' });

function Charts({ rows, range }: { rows: readonly Row[]; range: keyof typeof RANGES | null }) {
  const now = useNow(60_000);
  const points = (
    range
      ? filledBuckets(rows, range, now)
      : rows.map((row) => ({ ...Object.fromEntries(Object.entries(row).map(([key, value]) => [key, value === null ? null : Number(value)])), label: dayOf.format(Number(row.at) * 1000) }))
  ).map((point): Record<string, string | number | null> => ({ ...point, cost: 'cost' in point ? (point.cost ?? 0) : 0 }));
  const amount = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 });
  return (
    <div className="charts">
      <Chart title="Requests" kind="bar" points={points} x="label" format={short} series={[{ name: 'requests', label: 'Requests', color: 'cyan.6' }]} />
      <Chart title="Tokens" kind="bar" isStacked points={points} x="label" format={short} series={[{ name: 'input', label: 'Input', color: 'violet.5' }, { name: 'output', label: 'Output', color: 'cyan.6' }]} />
      <Chart title="Latency" kind="line" points={points} x="label" format={duration} series={[{ name: 'p50', label: 'P50', color: 'cyan.6' }, { name: 'p90', label: 'P90', color: 'violet.5' }, { name: 'p99', label: 'P99', color: 'orange.6' }]} />
      <Chart title="Errors" kind="bar" isStacked points={points} x="label" format={short} series={[{ name: 'refused', label: '4xx', color: 'yellow.6' }, { name: 'failed', label: '5xx', color: 'red.6' }]} />
      <Chart title="Cost" kind="area" points={points} x="label" format={amount} series={[{ name: 'cost', label: 'Cost', color: 'cyan.6' }]} />
    </div>
  );
}
