import type { SqlRow } from '@/api/sql';
import { sinceOf, startOf, unitOf, UNITS, type UsageSearch } from '@/parts/usage/filters';
import { isOfPart, isOfTime } from '@/parts/usage/questions';
import { textOf } from '@/lib/values';

export type TimePoint = { label: string } & Record<string, string | number | null>;

const hours = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: 'UTC' });
const days = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' });

const numberOf = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value));
const share = (sum: number | null, count: number): number | null => (count === 0 ? null : (sum ?? 0) / count);

/** A point for each piece of the time, also where nothing happened; what is a time then is null. */
export function timePoints(rows: readonly SqlRow[], costs: readonly SqlRow[], search: UsageSearch, nowMs: number): TimePoint[] {
  const unit = unitOf(search);
  const byStart = new Map(rows.filter((row) => row.at !== null).map((row) => [Number(row.at), row]));
  const points: TimePoint[] = [];
  for (let at = sinceOf(search, nowMs); at <= startOf(unit, nowMs / 1000); at += UNITS[unit]) {
    const row = byStart.get(at) ?? {};
    const latency = Array.isArray(row.latency) ? (row.latency as unknown[]) : [];
    const [count, input, output] = [Number(row.requests ?? 0), Number(row.input ?? 0), Number(row.output ?? 0)];
    const point: TimePoint = {
      at,
      label: (unit === 'hour' ? hours : days).format(at * 1000),
      requests: count,
      refused: Number(row.refused ?? 0),
      failed: Number(row.failed ?? 0),
      input,
      output,
      inputEach: share(input, count),
      outputEach: share(output, count),
      p50: numberOf(latency[0]),
      p90: numberOf(latency[1]),
      p99: numberOf(latency[2]),
    };
    for (const currency of currenciesOf(costs)) point[`cost ${currency}`] = 0;
    for (const cost of costs) if (Number(cost.at) === at && isOfTime(cost)) point[`cost ${textOf(cost.currency)}`] = Number(cost.cost);
    points.push(point);
  }
  return points;
}

export const currenciesOf = (rows: readonly SqlRow[]): string[] => [...new Set(rows.map((row) => textOf(row.currency)).filter((one) => one !== ''))];

/** The dearest parts as points of a chart, with a series for each currency. */
export function partPoints(rows: readonly SqlRow[], most: number, none: string): TimePoint[] {
  const points = new Map<string, TimePoint>();
  for (const row of rows.filter(isOfPart)) {
    const label = typeof row.part === 'string' && row.part !== '' ? row.part : none;
    const point = points.get(label) ?? { label };
    if (row.currency !== null) point[`cost ${textOf(row.currency)}`] = Number(row.cost);
    points.set(label, point);
  }
  return [...points.values()].slice(0, most);
}
