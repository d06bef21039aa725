import { count, duration, money } from '@/lib/format';
import { shownValue, textOf } from '@/lib/values';

type Row = Readonly<Record<string, unknown>>;

/** What the columns of `system.serving.endpoint_usage` are called on pages. */
export const COLUMNS: Record<string, string> = {
  request_time: 'Time (UTC)',
  requester: 'User',
  token_id: 'Access token',
  endpoint_name: 'Endpoint',
  served_entity_name: 'Served entity',
  entity_name: 'Entity',
  entity_version: 'Version',
  task: 'Task',
  state: 'State',
  status_code: 'Status',
  finish_reason: 'Finish reason',
  request_streaming: 'Streamed',
  input_token_count: 'Input tokens',
  cached_token_count: 'of them cached',
  output_token_count: 'Output tokens',
  queue_ms: 'Time in line',
  time_to_first_token_ms: 'First token',
  execution_duration_ms: 'Total',
  cost: 'Cost',
  price_version: 'Version of the price',
  is_provisioned: 'Billed by the hour',
  usage_context: 'Tags',
  databricks_request_id: 'Request id',
  client_request_id: 'The client’s request id',
  served_entity_id: 'Served entity id',
};

const tags = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? Object.entries(value)
        .map(([key, one]) => `${key}=${shownValue(one)}`)
        .join(', ')
    : shownValue(value);

const yesOrNo = (value: unknown): string => (value === true ? 'Yes' : 'No');

const SHOWN: Record<string, (value: unknown, row: Row) => string> = {
  request_time: (value) => textOf(value).replace('T', ' ').slice(0, 23),
  request_streaming: yesOrNo,
  is_provisioned: yesOrNo,
  usage_context: tags,
  cost: (value, row) => money(String(value), textOf(row.currency)),
};

/** A column of a request's row as a person reads it; null for what is empty, or said with another. */
export function shownField(row: Row, name: string): string | null {
  const value = row[name];
  if (value === null || value === undefined || name === 'currency') return null;
  const own = SHOWN[name];
  if (own) return own(value, row) || null;
  if (name.endsWith('_ms')) return duration(Number(value));
  return name.endsWith('_count') ? count(Number(value)) : shownValue(value);
}
