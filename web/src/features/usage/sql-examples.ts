export const TABLES = ['system.serving.endpoint_usage', 'system.serving.endpoint_refusals', 'system.serving.served_entities', 'system.billing.usage', 'system.billing.list_prices', 'openfm.usage_hourly', 'openfm.usage_daily'];

/** Questions to begin with; a test asks the server each of them. */
export const EXAMPLES: Record<string, string> = {
  'Cost by user': `SELECT requester, currency, count(*) AS requests, sum(cost) AS cost
FROM system.serving.endpoint_usage
GROUP BY requester, currency
ORDER BY cost DESC`,
  'The slowest requests': `SELECT request_time, endpoint_name, requester, execution_duration_ms, time_to_first_token_ms, output_token_count, databricks_request_id
FROM system.serving.endpoint_usage
ORDER BY execution_duration_ms DESC NULLS LAST
LIMIT 50`,
  'Errors by endpoint and status': `SELECT endpoint_name, status_code, count(*) AS requests, max(request_time) AS last
FROM system.serving.endpoint_usage
WHERE status_code >= 400
GROUP BY endpoint_name, status_code
ORDER BY requests DESC`,
  'Refused requests': `SELECT endpoint_name, requester, error_code, sum(requests) AS requests, max(request_minute) AS last
FROM system.serving.endpoint_refusals
GROUP BY endpoint_name, requester, error_code
ORDER BY requests DESC`,
  'Tokens by tag': `SELECT tag.key, tag.value, sum(input_token_count) AS input_tokens, sum(output_token_count) AS output_tokens
FROM (SELECT unnest(map_entries(usage_context)) AS tag, input_token_count, output_token_count FROM system.serving.endpoint_usage)
GROUP BY ALL
ORDER BY output_tokens DESC`,
  'Each day of each endpoint': `SELECT usage_date, endpoint_name, sum(requests) AS requests, sum(failed_requests) AS failed, sum(output_token_count) AS output_tokens, max(execution_duration_ms_p99) AS p99_ms
FROM openfm.usage_daily
GROUP BY usage_date, endpoint_name
ORDER BY usage_date DESC, endpoint_name`,
  'Tokens as billed, by hour': `SELECT usage_start_time, sku_name, sum(usage_quantity) AS tokens
FROM system.billing.usage
GROUP BY usage_start_time, sku_name
ORDER BY usage_start_time DESC, sku_name`,
  'Prices and when they held': `SELECT sku_name, target, pricing, currency_code, usage_unit, price_start_time, price_end_time
FROM system.billing.list_prices
ORDER BY price_start_time DESC`,
};

export const isNumeric = (type: string): boolean => /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*)$/.test(type);
