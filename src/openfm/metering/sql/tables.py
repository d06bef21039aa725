"""The tables that a question may ask: their shape, and how DuckDB makes them of the ledger's rows.

`system.*` are shaped as Databricks' system tables (columns of theirs first, ours after them); `openfm.*` are ours.
"""

from collections.abc import Mapping
from types import MappingProxyType

from openfm.metering.sql.billing import BILLING_USAGE, LIST_PRICES
from openfm.metering.sql.sources import CORRECTIONS, ENTITIES, LEDGER, REFUSALS, WHERE_FROM

_ID = "md5(concat_ws('/', endpoint_id, config_version, served_entity))"
_COST = "CAST(cost_pico AS DECIMAL(19, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12))"

_ENDPOINT_USAGE = f"""
SELECT {WHERE_FROM}, client_request_id, request_id AS databricks_request_id, principal_name AS requester,
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
SELECT {WHERE_FROM}, make_timestamp(minute * 60000000) AS request_minute, principal_name AS requester,
    status AS status_code, code AS error_code, endpoint_id, endpoint_name, served_entity AS served_entity_name,
    entity_name, requests
FROM {REFUSALS}
"""

_PROVISIONED = "max_provisioned_throughput IS NOT NULL OR provisioned_model_units IS NOT NULL"
_SERVED_ENTITIES = f"""
SELECT {_ID} AS served_entity_id, {WHERE_FROM}, created_by, endpoint_name, endpoint_id,
    served_entity AS served_entity_name, entity_type, entity_name, entity_version,
    config_version AS endpoint_config_version, task,
    CASE WHEN entity_type = 'EXTERNAL_MODEL' THEN struct_pack(provider := provider) END AS external_model_config,
    CASE WHEN entity_type = 'FOUNDATION_MODEL' OR {_PROVISIONED} THEN struct_pack(
        min_provisioned_throughput := min_provisioned_throughput,
        max_provisioned_throughput := max_provisioned_throughput, provisioned_model_units := provisioned_model_units
    ) END AS foundation_model_config,
    CASE WHEN entity_type = 'CUSTOM_MODEL' THEN struct_pack(
        min_concurrency := CASE WHEN scale_to_zero_enabled THEN 0 END, max_concurrency := CAST(NULL AS INTEGER),
        compute_type := workload_type
    ) END AS custom_model_config,
    CAST(NULL AS STRUCT(min_concurrency INTEGER, max_concurrency INTEGER, compute_type VARCHAR)) AS feature_spec_config,
    make_timestamp(changed_ms * 1000) AS change_time, make_timestamp(deleted_ms * 1000) AS endpoint_delete_time
FROM {ENTITIES} WHERE is_visible OR endpoint_id IN (SELECT endpoint_id FROM {LEDGER})
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

PAYLOADS = """
SELECT CAST(make_timestamp(request_time_us) AS DATE) AS request_date, databricks_request_id, client_request_id,
    make_timestamp(request_time_us) AS request_time, status_code, sampling_fraction, execution_duration_ms, request,
    response, nullif(served_entity_id, '') AS served_entity_id, logging_error_codes, requester
"""
"""Of an inference table; what it is made of follows."""

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "system.serving.endpoint_usage": _ENDPOINT_USAGE,
        "system.serving.endpoint_refusals": _ENDPOINT_REFUSALS,
        "system.serving.served_entities": _SERVED_ENTITIES,
        "system.billing.usage": BILLING_USAGE,
        "system.billing.list_prices": LIST_PRICES,
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
