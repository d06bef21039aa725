import { VisuallyHidden } from '@mantine/core';

import type { SqlRow } from '@/api/sql';
import { groupOf, type UsageSearch } from '@/parts/usage/filters';
import { currenciesOf, partPoints, timePoints } from '@/features/usage/points';
import { duration, short } from '@/lib/format';
import { Chart, type Series } from '@/ui/chart';
import { useNow } from '@/ui/time';

const COLORS = ['cyan.6', 'violet.5', 'orange.6', 'teal.6'];
const MOST_PARTS = 8;
const amount = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 });

/** What was used over time; the server cuts the time into pieces, so a million rows are a few dozen points. */
export function UsageCharts({ rows, costs, search }: { rows: readonly SqlRow[]; costs: readonly SqlRow[]; search: UsageSearch }) {
  const now = useNow(60_000);
  const group = groupOf(search.by);
  const points = timePoints(rows, costs, search, now);
  const money: Series[] = currenciesOf(costs).map((currency, index) => ({ name: `cost ${currency}`, label: currency, color: COLORS[index % COLORS.length] ?? 'cyan.6' }));
  const time = { points, x: 'label' } as const;
  return (
    <div className="charts">
      <VisuallyHidden component="h2">Charts</VisuallyHidden>
      <Chart {...time} title="Requests" kind="bar" format={short} series={[{ name: 'requests', label: 'Requests', color: 'cyan.6' }]} />
      <Chart {...time} title="Latency" kind="line" format={duration} series={[{ name: 'p50', label: 'P50', color: 'cyan.6' }, { name: 'p90', label: 'P90', color: 'violet.5' }, { name: 'p99', label: 'P99', color: 'orange.6' }]} />
      <Chart {...time} title="Errors" kind="bar" isStacked format={short} series={[{ name: 'refused', label: 'Refused (4xx)', color: 'yellow.6' }, { name: 'failed', label: 'Failed (5xx)', color: 'red.6' }]} />
      <Chart {...time} title="Token usage" kind="bar" isStacked format={short} series={[{ name: 'input', label: 'Input', color: 'violet.5' }, { name: 'output', label: 'Output', color: 'cyan.6' }]} />
      <Chart {...time} title="Tokens per request" kind="line" format={short} series={[{ name: 'inputEach', label: 'Input', color: 'violet.5' }, { name: 'outputEach', label: 'Output', color: 'cyan.6' }]} />
      <Chart {...time} title="Cost over time" kind="bar" format={amount} series={money} />
      <div style={{ gridColumn: '1 / -1' }}>
        <Chart title={`Cost by ${group.label.toLowerCase()}`} xTitle={group.label} kind="bar" points={partPoints(costs, MOST_PARTS, 'None')} x="label" format={amount} series={money} />
      </div>
    </div>
  );
}
