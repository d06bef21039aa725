import { queryOptions } from '@tanstack/react-query';

import { type Row, sqlQuery } from '@/api/usage';
import { requests } from '@/lib/format';

const [BUCKET_S, BUCKETS] = [300, 12];
const SQL = `SELECT endpoint_name, floor(epoch(request_time) / ${BUCKET_S}) * ${BUCKET_S} AS "at", count(*) AS total, count(*) FILTER (status_code >= 400) AS bad FROM system.serving.endpoint_usage WHERE request_time > now()::TIMESTAMP - INTERVAL ${BUCKET_S * BUCKETS} SECOND GROUP BY endpoint_name, "at"`;

/** What came in the last hour, as far as the ledger tells the caller. */
export const activityQuery = queryOptions({ ...sqlQuery('activity', SQL, 10_000), refetchInterval: 60_000, staleTime: 30_000 });

export type Activity = { bars: { total: number; bad: number }[]; total: number; label: string };

/** The last hour of each endpoint in pieces of five minutes, by its name; who had no request is not there. */
export function activityOf(rows: readonly Row[], nowMs: number): Map<string, Activity> {
  const last = Math.floor(nowMs / 1000 / BUCKET_S) * BUCKET_S;
  const found = new Map<string, Activity>();
  for (const row of rows) {
    const name = typeof row.endpoint_name === 'string' ? row.endpoint_name : '';
    const at = BUCKETS - 1 - (last - Number(row.at)) / BUCKET_S;
    const one = found.get(name) ?? { bars: Array.from({ length: BUCKETS }, () => ({ total: 0, bad: 0 })), total: 0, label: '' };
    const bar = one.bars[at];
    if (!bar) continue;
    bar.total += Number(row.total);
    bar.bad += Number(row.bad);
    one.total += Number(row.total);
    found.set(name, one);
  }
  for (const one of found.values()) one.label = labelOf(one);
  return found;
}

function labelOf({ bars, total }: Activity): string {
  const bad = bars.reduce((sum, bar) => sum + bar.bad, 0);
  const share = (100 * bad) / Math.max(1, total);
  return `${requests(total)} in the last hour, ${share > 0 && share < 1 ? 'under 1' : Math.round(share)} % errors`;
}
