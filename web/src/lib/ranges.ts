/** A piece of time that charts show: seconds, those of each point, and its end in seconds since 1970; null is now. */
export type Span = { seconds: number; bucket: number; end: number | null };

const upToNow = (seconds: number, bucket: number): Span => ({ seconds, bucket, end: null });
export const RANGES = {
  '15 min': upToNow(900, 15),
  '1 h': upToNow(3600, 60),
  '6 h': upToNow(21_600, 300),
  '24 h': upToNow(86_400, 1_800),
  '7 days': upToNow(604_800, 10_800),
  '30 days': upToNow(2_592_000, 86_400),
} as const;

const BUCKETS = [15, 60, 300, 1_800, 10_800, 86_400] as const;
const MOST_POINTS = 90;

/** The time between two moments in seconds since 1970, in whole points; null where there is none, or more than charts can show. */
export function spanBetween(from: number, to: number): Span | null {
  const bucket = BUCKETS.find((one) => (to - from) / one <= MOST_POINTS);
  if (!(to > from) || bucket === undefined) return null;
  const [start, end] = [Math.floor(from / bucket) * bucket, Math.ceil(to / bucket) * bucket];
  return { seconds: end - start, bucket, end };
}

type Bucket = Record<string, unknown>;
const SUMS = ['requests', 'refused', 'failed', 'input', 'output'];

/** A point for each piece of the time, also where nothing happened: `at` of a row is its start in seconds. */
export function filledBuckets(rows: readonly Bucket[], { seconds, bucket, end }: Span, nowMs: number): Record<string, string | number | null>[] {
  const byStart = new Map(rows.map((row) => [Number(row.at), row]));
  const last = end === null ? Math.floor(nowMs / 1000 / bucket) * bucket : end - bucket;
  const form = new Intl.DateTimeFormat('en', seconds <= 86_400 ? { hour: '2-digit', minute: '2-digit', ...(bucket < 60 ? { second: '2-digit' } : {}), hourCycle: 'h23' } : { month: 'short', day: 'numeric', ...(bucket < 86_400 ? { hour: '2-digit', hourCycle: 'h23' } : {}) });
  const points = [];
  for (let at = last - seconds + bucket; at <= last; at += bucket) {
    const row = byStart.get(at) ?? {};
    const point: Record<string, string | number | null> = { label: form.format(at * 1000), at };
    for (const name of SUMS) point[name] = Number(row[name] ?? 0);
    for (const [name, value] of Object.entries(row)) if (!(name in point)) point[name] = value === null ? null : Number(value);
    points.push(point);
  }
  return points;
}
