/** How far back charts look, and into how many seconds each of their points falls. */
export const RANGES = {
  '15 min': { seconds: 900, bucket: 15 },
  '1 h': { seconds: 3600, bucket: 60 },
  '6 h': { seconds: 21_600, bucket: 300 },
  '24 h': { seconds: 86_400, bucket: 1_800 },
  '7 days': { seconds: 604_800, bucket: 10_800 },
  '30 days': { seconds: 2_592_000, bucket: 86_400 },
} as const;

type Bucket = Record<string, unknown>;
const SUMS = ['requests', 'refused', 'failed', 'input', 'output'];

/** A point for each piece of the time, also where nothing happened: `at` of a row is its start in seconds. */
export function filledBuckets(rows: readonly Bucket[], range: keyof typeof RANGES, nowMs: number): Record<string, string | number | null>[] {
  const { seconds, bucket } = RANGES[range];
  const byStart = new Map(rows.map((row) => [Number(row.at), row]));
  const last = Math.floor(nowMs / 1000 / bucket) * bucket;
  const form = new Intl.DateTimeFormat('en', seconds <= 86_400 ? { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } : { month: 'short', day: 'numeric', ...(bucket < 86_400 ? { hour: '2-digit', hourCycle: 'h23' } : {}) });
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
