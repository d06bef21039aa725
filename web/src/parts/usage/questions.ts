import type { SqlRow } from '@/api/sql';
import { groupOf, type Unit, unitOf, type UsageSearch, whereOf } from '@/parts/usage/filters';

const TABLE = 'system.serving.endpoint_usage';
const at = (unit: Unit): string => `epoch(date_trunc('${unit}', request_time))::BIGINT`;

/** One question for the cards and the charts: the row without `at` is that of the whole time. */
export const overTime = (search: UsageSearch, nowMs: number): string =>
  `SELECT ${at(unitOf(search))} AS "at", count(*) AS requests, count(*) FILTER (status_code BETWEEN 400 AND 499) AS refused, ` +
  'count(*) FILTER (status_code >= 500 OR status_code IS NULL) AS failed, coalesce(sum(input_token_count), 0) AS input, ' +
  'coalesce(sum(cached_token_count), 0) AS cached, coalesce(sum(output_token_count), 0) AS output, ' +
  'quantile_cont(execution_duration_ms, [0.5, 0.9, 0.99]) AS latency, quantile_cont(time_to_first_token_ms, 0.99) AS ttft ' +
  `FROM ${TABLE} WHERE ${whereOf(search, nowMs)} GROUP BY GROUPING SETS ((), ("at")) ORDER BY "at"`;

/** Money is exact and in the currency of its price: by what it is put together, by time, and in all. */
export const money = (search: UsageSearch, nowMs: number): string =>
  `SELECT currency, ${groupOf(search.by).sql} AS part, ${at(unitOf(search))} AS "at", grouping(part) AS no_part, grouping("at") AS no_at, ` +
  'count(*) AS requests, count(*) FILTER (status_code >= 400 OR status_code IS NULL) AS errors, coalesce(sum(input_token_count), 0) AS input, ' +
  'coalesce(sum(cached_token_count), 0) AS cached, coalesce(sum(output_token_count), 0) AS output, coalesce(sum(cost), 0) AS cost ' +
  `FROM ${TABLE} WHERE ${whereOf(search, nowMs)} GROUP BY GROUPING SETS ((currency), (currency, part), (currency, "at")) ORDER BY cost DESC, requests DESC`;

/** The answer to one question holds the sums of all, by part, and by time: each row says which it is of. */
export const isOfTime = (row: SqlRow): boolean => Number(row.no_at) === 0;
export const isOfPart = (row: SqlRow): boolean => Number(row.no_part) === 0;
export const isOfAll = (row: SqlRow): boolean => !isOfTime(row) && !isOfPart(row);

/** What can be filtered by, of the time that is looked at: `where` says which. */
export const choices = (where: string): string =>
  ['endpoint_name', 'requester', 'token_id']
    .map((name) => `SELECT '${name}' AS kind, ${name} AS value FROM ${TABLE} WHERE ${where} AND ${name} IS NOT NULL GROUP BY ALL`)
    .concat(`SELECT DISTINCT 'tag' AS kind, unnest(map_keys(usage_context)) AS value FROM ${TABLE} WHERE ${where}`)
    .join(' UNION ALL ') + ' ORDER BY kind, value';

const SHOWN = [
  'request_time', 'endpoint_name', 'requester', 'status_code', 'finish_reason', 'input_token_count', 'output_token_count',
  'time_to_first_token_ms', 'execution_duration_ms', 'cost', 'currency', 'databricks_request_id',
];
/** The requests themselves, the newest first; pages of it come one by one. */
export const requests = (search: UsageSearch, nowMs: number): string =>
  `SELECT ${SHOWN.join(', ')} FROM ${TABLE} WHERE ${whereOf(search, nowMs)} ORDER BY request_time DESC, databricks_request_id`;
