"""The tables that a question may ask: their shape, and how DuckDB makes them of the ledger's rows.

`system.*` are shaped as Databricks' system tables (columns of theirs first, ours after them); `openfm.*` are ours.
"""

from collections.abc import Mapping
from types import MappingProxyType

ACCOUNT_ID = "00000000-0000-0000-0000-000000000000"
NEW, LEDGER, ENTITIES, PRICES = "new_rows", "ledger_rows", "entity_rows", "price_rows"
ALL_CORRECTIONS, CORRECTIONS = "all_corrections", "correction_rows"
ALL_REFUSALS, REFUSALS = "all_refusals", "refusal_rows"

LEDGER_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "request_id": "VARCHAR",
        "principal_id": "VARCHAR",
        "principal_name": "VARCHAR",
        "principal_kind": "VARCHAR",
        "token_id": "VARCHAR",
        "endpoint_id": "VARCHAR",
        "endpoint_name": "VARCHAR",
        "served_entity": "VARCHAR",
        "entity_name": "VARCHAR",
        "entity_version": "VARCHAR",
        "config_version": "INTEGER",
        "task": "VARCHAR",
        "client_request_id": "VARCHAR",
        "tags": "MAP(VARCHAR, VARCHAR)",
        "is_streaming": "BOOLEAN",
        "received_us": "BIGINT",
        "state": "VARCHAR",
        "status": "INTEGER",
        "finish_reason": "VARCHAR",
        "admitted_us": "BIGINT",
        "first_token_us": "BIGINT",
        "finished_us": "BIGINT",
        "queue_us": "BIGINT",
        "billed_prompt": "BIGINT",
        "billed_completion": "BIGINT",
        "billed_cached": "BIGINT",
        "billed_reasoning": "BIGINT",
        "generated_completion": "BIGINT",
        "is_estimated": "BOOLEAN",
        "cost_pico": "BIGINT",
        "currency": "VARCHAR",
        "price_version": "INTEGER",
        "closing_number": "BIGINT",
        "is_provisioned": "BOOLEAN",
    }
)
"""What is kept of a closed row; names as in `store.ledger_tables`."""

ENTITY_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "endpoint_id": "VARCHAR",
        "endpoint_name": "VARCHAR",
        "config_version": "INTEGER",
        "served_entity": "VARCHAR",
        "entity_name": "VARCHAR",
        "entity_version": "VARCHAR",
        "entity_type": "VARCHAR",
        "task": "VARCHAR",
        "created_by": "VARCHAR",
        "changed_ms": "BIGINT",
    }
)
PRICE_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "version": "INTEGER",
        "unit": "VARCHAR",
        "target_kind": "VARCHAR",
        "target": "VARCHAR",
        "amount_micro": "BIGINT",
        "currency": "VARCHAR",
        "effective_from_us": "BIGINT",
    }
)

CORRECTION_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "id": "VARCHAR",
        "request_id": "VARCHAR",
        "principal_id": "VARCHAR",
        "principal_name": "VARCHAR",
        "endpoint_name": "VARCHAR",
        "entity_name": "VARCHAR",
        "tags": "MAP(VARCHAR, VARCHAR)",
        "cost_pico": "BIGINT",
        "currency": "VARCHAR",
        "reason": "VARCHAR",
        "created_by": "VARCHAR",
        "created_us": "BIGINT",
    }
)

REFUSAL_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "minute": "BIGINT",
        "endpoint_id": "VARCHAR",
        "endpoint_name": "VARCHAR",
        "served_entity": "VARCHAR",
        "entity_name": "VARCHAR",
        "principal_id": "VARCHAR",
        "principal_name": "VARCHAR",
        "status": "INTEGER",
        "code": "VARCHAR",
        "requests": "BIGINT",
    }
)

_ID = "md5(concat_ws('/', endpoint_id, config_version, served_entity))"
_COST = "CAST(cost_pico AS DECIMAL(19, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12))"
_WHERE_FROM = f"'{ACCOUNT_ID}' AS account_id, getvariable('workspace_id') AS workspace_id"

_ENDPOINT_USAGE = f"""
SELECT {_WHERE_FROM}, client_request_id, request_id AS databricks_request_id, principal_name AS requester,
    status AS status_code, make_timestamp(received_us) AS request_time, billed_prompt AS input_token_count,
    billed_completion AS output_token_count, CAST(NULL AS BIGINT) AS input_character_count,
    CAST(NULL AS BIGINT) AS output_character_count, tags AS usage_context, is_streaming AS request_streaming,
    {_ID} AS served_entity_id,
    endpoint_name, served_entity AS served_entity_name, entity_name, entity_version, task, state, finish_reason,
    billed_cached AS cached_token_count, queue_us / 1000.0 AS queue_ms,
    (first_token_us - received_us) / 1000.0 AS time_to_first_token_ms,
    (finished_us - received_us) / 1000.0 AS execution_duration_ms, token_id, {_COST} AS cost, currency, price_version,
    is_provisioned
FROM {LEDGER}
"""

_ENDPOINT_REFUSALS = f"""
SELECT {_WHERE_FROM}, make_timestamp(minute * 60000000) AS request_minute, principal_name AS requester,
    status AS status_code, code AS error_code, endpoint_id, endpoint_name, served_entity AS served_entity_name,
    entity_name, requests
FROM {REFUSALS}
"""

_SERVED_ENTITIES = f"""
SELECT {_ID} AS served_entity_id, {_WHERE_FROM}, created_by, endpoint_name, endpoint_id,
    served_entity AS served_entity_name, entity_type, entity_name, entity_version,
    config_version AS endpoint_config_version, task, make_timestamp(changed_ms * 1000) AS change_time,
    CAST(NULL AS TIMESTAMP) AS endpoint_delete_time
FROM {ENTITIES}
"""

_BILLING_USAGE = f"""
WITH hours AS (
    SELECT date_trunc('hour', make_timestamp(received_us)) AS hour, endpoint_id, endpoint_name, entity_name,
        principal_name, tags, currency, price_version, is_provisioned, sum(billed_prompt - billed_cached) AS prompt,
        sum(billed_cached) AS cached, sum(billed_completion) AS completion
    FROM {LEDGER} GROUP BY ALL
), units AS (
    SELECT *, unnest(['PROMPT', 'CACHED', 'COMPLETION']) AS unit, unnest([prompt, cached, completion]) AS quantity
    FROM hours
)
SELECT md5(concat_ws('/', hour, endpoint_id, entity_name, principal_name, CAST(tags AS VARCHAR), price_version, unit,
        CASE WHEN is_provisioned THEN 'PROVISIONED' END)) AS record_id, {_WHERE_FROM},
    concat(CASE WHEN is_provisioned THEN 'PROVISIONED_THROUGHPUT_' ELSE 'PAY_PER_TOKEN_' END, unit) AS sku_name,
    CAST(NULL AS VARCHAR) AS cloud,
    hour AS usage_start_time, hour + INTERVAL 1 HOUR AS usage_end_time, CAST(hour AS DATE) AS usage_date,
    tags AS custom_tags, 'TOKEN' AS usage_unit, CAST(quantity AS DECIMAL(38, 0)) AS usage_quantity,
    struct_pack(endpoint_id := endpoint_id, endpoint_name := endpoint_name, entity_name := entity_name)
        AS usage_metadata,
    struct_pack(run_as := principal_name) AS identity_metadata, 'ORIGINAL' AS record_type,
    CAST(hour AS DATE) AS ingestion_date, 'MODEL_SERVING' AS billing_origin_product,
    struct_pack(serving_type := 'FOUNDATION_MODEL') AS product_features, 'TOKEN' AS usage_type,
    currency, price_version
FROM units WHERE quantity > 0
"""

_LIST_PRICES = f"""
SELECT make_timestamp(effective_from_us) AS price_start_time,
    make_timestamp(lead(effective_from_us) OVER (
        PARTITION BY unit, target_kind, target ORDER BY effective_from_us, version
    )) AS price_end_time,
    '{ACCOUNT_ID}' AS account_id,
    CASE unit WHEN 'MODEL_UNIT_HOUR' THEN 'PROVISIONED_THROUGHPUT' ELSE concat('PAY_PER_TOKEN_', unit) END AS sku_name,
    CAST(NULL AS VARCHAR) AS cloud, currency AS currency_code,
    CASE unit WHEN 'MODEL_UNIT_HOUR' THEN 'HOUR' ELSE 'MILLION_TOKENS' END AS usage_unit,
    struct_pack("default" := CAST(amount_micro AS DECIMAL(19, 0)) * CAST(0.000001 AS DECIMAL(6, 6))) AS pricing,
    target_kind, target, version AS price_version
FROM {PRICES}
"""

_CORRECTIONS = f"""
SELECT id AS correction_id, request_id AS databricks_request_id, principal_name AS requester, endpoint_name,
    entity_name, tags AS usage_context, make_timestamp(created_us) AS created_time, {_COST} AS amount, currency, reason,
    created_by
FROM {CORRECTIONS}
"""

_ROLL_UP = f"""
SELECT {{period}}, endpoint_name, served_entity AS served_entity_name, entity_name, entity_version,
    principal_name AS requester, currency, count(*) AS requests,
    count(*) FILTER (WHERE status IS NULL OR status >= 400) AS failed_requests, sum(billed_prompt) AS input_token_count,
    sum(billed_cached) AS cached_token_count, sum(billed_completion) AS output_token_count, sum({_COST}) AS cost,
    avg(queue_us) / 1000 AS queue_ms_mean, avg(first_token_us - received_us) / 1000 AS time_to_first_token_ms_mean,
    quantile_cont(first_token_us - received_us, 0.95) / 1000 AS time_to_first_token_ms_p95,
    quantile_cont(finished_us - received_us, 0.5) / 1000 AS execution_duration_ms_p50,
    quantile_cont(finished_us - received_us, 0.99) / 1000 AS execution_duration_ms_p99
FROM {LEDGER} GROUP BY ALL
"""
_HOURLY = _ROLL_UP.format(period="date_trunc('hour', make_timestamp(received_us)) AS usage_hour")
_DAILY = _ROLL_UP.format(period="CAST(make_timestamp(received_us) AS DATE) AS usage_date")

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "system.serving.endpoint_usage": _ENDPOINT_USAGE,
        "system.serving.endpoint_refusals": _ENDPOINT_REFUSALS,
        "system.serving.served_entities": _SERVED_ENTITIES,
        "system.billing.usage": _BILLING_USAGE,
        "system.billing.list_prices": _LIST_PRICES,
        "openfm.usage_hourly": _HOURLY,
        "openfm.usage_daily": _DAILY,
        "openfm.corrections": _CORRECTIONS,
    }
)
"""Name for people, and the SELECT behind it."""

EXPORT_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "csv": "SELECT * REPLACE (to_json(usage_context) AS usage_context) FROM system__serving__endpoint_usage",
        "parquet": "SELECT * FROM system__serving__endpoint_usage",
    }
)
"""What a file of usage has, by its format: CSV has no maps."""


def view_name(table: str) -> str:
    """What the table is called in the database."""
    return table.replace(".", "__")
