import { literal } from '@/api/usage';

/** What the address bar holds of the usage pages: nothing means everything. */
export type UsageSearch = {
  tab?: string | undefined;
  range?: string | undefined;
  unit?: string | undefined;
  by?: string | undefined;
  endpoint?: string | undefined;
  user?: string | undefined;
  token?: string | undefined;
  tag?: string | undefined;
  status?: string | undefined;
};

export type Filter = (change: UsageSearch) => void;

export const UNITS = { hour: 3_600, day: 86_400, week: 604_800 } as const;
export type Unit = keyof typeof UNITS;

type Range = { seconds: number; units: readonly Unit[] };
/** How far back the pages look, and into what the time may be cut: the first is meant unless somebody chose. */
export const USAGE_RANGES: Record<string, Range> = {
  '24 hours': { seconds: 86_400, units: ['hour'] },
  '7 days': { seconds: 7 * 86_400, units: ['day', 'hour'] },
  '30 days': { seconds: 30 * 86_400, units: ['day', 'week'] },
  '90 days': { seconds: 90 * 86_400, units: ['week', 'day'] },
};
const DEFAULT_RANGE = '30 days';

export const rangeOf = (search: UsageSearch): string => (search.range !== undefined && search.range in USAGE_RANGES ? search.range : DEFAULT_RANGE);
const boundsOf = (search: UsageSearch): Range => USAGE_RANGES[rangeOf(search)] ?? { seconds: 0, units: ['day'] };
export const unitsOf = (search: UsageSearch): readonly Unit[] => boundsOf(search).units;
export const unitOf = (search: UsageSearch): Unit => unitsOf(search).find((unit) => unit === search.unit) ?? unitsOf(search)[0] ?? 'day';

/** Mondays begin weeks, as `date_trunc` has it; 1970 began on a Thursday. */
export function startOf(unit: Unit, seconds: number): number {
  const shift = unit === 'week' ? 4 * UNITS.day : 0;
  return Math.floor((seconds - shift) / UNITS[unit]) * UNITS[unit] + shift;
}

/** From when on: whole pieces, so that the first of them is not cut. In seconds. */
export const sinceOf = (search: UsageSearch, nowMs: number): number =>
  startOf(unitOf(search), Math.floor(nowMs / 1000) - boundsOf(search).seconds + UNITS[unitOf(search)]);

const TAG = /^([^=]+)=(.*)$/s;
/** What is wrong with a tag as somebody typed it, or null. */
export const tagProblem = (tag: string): string | null => (tag === '' || TAG.test(tag) ? null : 'Write it as key=value.');

/** The rows that are meant, as SQL over system.serving.endpoint_usage. */
export function whereOf(search: UsageSearch, nowMs: number): string {
  const since = new Date(sinceOf(search, nowMs) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  const parts = [`request_time >= TIMESTAMP '${since}'`];
  if (search.endpoint !== undefined) parts.push(`endpoint_name = ${literal(search.endpoint)}`);
  if (search.user !== undefined) parts.push(`requester = ${literal(search.user)}`);
  if (search.token !== undefined) parts.push(`token_id = ${literal(search.token)}`);
  const tag = search.tag === undefined ? null : TAG.exec(search.tag);
  if (tag) parts.push(`usage_context[${literal(tag[1] ?? '')}] = ${literal(tag[2] ?? '')}`);
  if (search.status === 'ok') parts.push('status_code < 400');
  if (search.status === 'refused') parts.push('status_code BETWEEN 400 AND 499');
  if (search.status === 'failed') parts.push('(status_code >= 500 OR status_code IS NULL)');
  return parts.join(' AND ');
}

export const GROUPS: Record<string, { label: string; sql: string }> = {
  endpoint: { label: 'Endpoint', sql: 'endpoint_name' },
  user: { label: 'User', sql: 'requester' },
  token: { label: 'Access token', sql: "coalesce(token_id, '')" },
  model: { label: 'Model', sql: "concat_ws(' ', entity_name, entity_version)" },
  task: { label: 'Task', sql: 'task' },
};

const TAG_GROUP = 'tag:';
/** What rows are put together by: one of GROUPS, or a tag's key as `tag:KEY`. */
export function groupOf(by: string | undefined): { key: string; label: string; sql: string } {
  if (by?.startsWith(TAG_GROUP) && by.length > TAG_GROUP.length) {
    const key = by.slice(TAG_GROUP.length);
    return { key: by, label: `Tag ${key}`, sql: `coalesce(usage_context[${literal(key)}], '')` };
  }
  const key = by !== undefined && by in GROUPS ? by : 'endpoint';
  return { key, ...(GROUPS[key] ?? { label: 'Endpoint', sql: 'endpoint_name' }) };
}
