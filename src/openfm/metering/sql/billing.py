"""`system.billing.usage` and `system.billing.list_prices`: what they are made of, and how they fit together.

A row of usage has the SKU of the price that holds for it, and a period within that price's: so the join by SKU and time
that Databricks' documentation shows finds one price, and quantity times price is the row's cost. An hour in which a
price changes has a row before and one after. Corrections have a SKU whose price is 1. Tokens of provisioned throughput
are not billed: its hours are.
"""

from openfm.metering.sql.sources import CORRECTIONS, ENTITIES, LEDGER, PRICES, UNIT_HOURS, WHERE_FROM

_TICK = "INTERVAL 1 MICROSECOND"
_NO_METADATA = (
    *("cluster_id", "job_id", "warehouse_id", "instance_pool_id", "node_type", "job_run_id", "notebook_id"),
    *("dlt_pipeline_id", "dlt_update_id", "dlt_maintenance_id", "run_name", "job_name", "notebook_path"),
    *("central_clean_room_id", "source_region", "destination_region", "app_id", "app_name", "metastore_id"),
    *("private_endpoint_name", "storage_api_type", "budget_policy_id", "database_instance_id", "usage_policy_id"),
)
_NO_FEATURES = ("jobs_tier", "sql_tier", "dlt_tier")


def _empty(names: tuple[str, ...]) -> str:
    """Fields of a struct that Databricks has and nobody here knows."""
    return ", ".join(f"{name} := CAST(NULL AS VARCHAR)" for name in names)


_CLOUD = "'ON_PREMISES'"
_TOKENS = "CAST(tokens AS DECIMAL(31, 0)) * CAST(0.000001 AS DECIMAL(6, 6))"
_PICO = "CAST(0.000000000001 AS DECIMAL(12, 12))"
_ATTO = "CAST(0.000000000000000001 AS DECIMAL(18, 18))"
_UNIT = "CASE unit WHEN 'MODEL_UNIT_HOUR' THEN 'PROVISIONED_THROUGHPUT' ELSE concat('PAY_PER_TOKEN_', unit) END"
_SPANS = f"""
SELECT version AS price_version, unit, target_kind, target, amount_micro, currency,
    concat_ws('/', {_UNIT}, target_kind, target) AS sku_name, make_timestamp(effective_from_us) AS starts,
    make_timestamp(lead(effective_from_us) OVER (
        PARTITION BY unit, target_kind, target ORDER BY effective_from_us, version
    )) AS ends
FROM {PRICES}
"""
# Hours are what the cost is at that price: it was rounded to whole 10^-12 when it was written.
_HOURS = """
CASE WHEN coalesce(amount_micro, 0) = 0 THEN (unit_seconds * 1000000000000000000 + 1800) // 3600
    ELSE (2 * pico * 1000000000000 + amount_micro) // (2 * amount_micro) END
"""

BILLING_USAGE = f"""
WITH spans AS ({_SPANS}), hours AS (
    SELECT date_trunc('hour', make_timestamp(received_us)) AS hour, endpoint_id, endpoint_name, entity_name,
        principal_name, tags, currency, price_version, sum(billed_prompt - billed_cached) AS prompt,
        sum(billed_cached) AS cached, sum(billed_completion) AS completion
    FROM {LEDGER} WHERE NOT is_provisioned GROUP BY ALL
), used AS (
    SELECT * EXCLUDE (prompt, cached, completion), unnest(['PROMPT', 'CACHED', 'COMPLETION']) AS unit,
        unnest([prompt, cached, completion]) AS tokens, CAST(0 AS HUGEINT) AS unit_seconds, CAST(0 AS HUGEINT) AS pico
    FROM hours
    UNION ALL BY NAME
    SELECT make_timestamp(hour_s * 1000000) AS hour, endpoint_id, endpoint_name, entity_name, principal_name, tags,
        currency, price_version, 'MODEL_UNIT_HOUR' AS unit, CAST(0 AS HUGEINT) AS tokens, sum(unit_seconds)
        AS unit_seconds, sum(CAST(cost_micro AS HUGEINT) * 1000000 + cost_rest) AS pico
    FROM {UNIT_HOURS} GROUP BY ALL
), entries AS (
    SELECT '' AS correction_id, coalesce(spans.sku_name, {_UNIT}) AS sku_name,
        greatest(hour, starts) AS starts, least(hour + INTERVAL 1 HOUR, ends - {_TICK}) AS ends,
        endpoint_id, endpoint_name, entity_name, principal_name, tags, used.currency, price_version,
        CASE unit WHEN 'MODEL_UNIT_HOUR' THEN 'HOUR' ELSE 'MILLION_TOKENS' END AS usage_unit,
        CASE unit WHEN 'MODEL_UNIT_HOUR' THEN CAST({_HOURS} AS DECIMAL(38, 0)) * {_ATTO}
            ELSE CAST({_TOKENS} AS DECIMAL(38, 18)) END AS quantity,
        CAST(CASE unit WHEN 'MODEL_UNIT_HOUR' THEN pico ELSE tokens * coalesce(amount_micro, 0) END
            AS DECIMAL(38, 0)) * {_PICO} AS cost,
        'ORIGINAL' AS record_type,
        CASE unit WHEN 'MODEL_UNIT_HOUR' THEN 'COMPUTE_TIME' ELSE 'TOKEN' END AS usage_type,
        CASE unit WHEN 'MODEL_UNIT_HOUR' THEN 'PROVISIONED_THROUGHPUT' ELSE 'PAY_PER_TOKEN' END AS offering_type
    FROM used LEFT JOIN spans USING (price_version, unit) WHERE tokens > 0 OR unit_seconds > 0
    UNION ALL BY NAME
    SELECT id AS correction_id, concat('CORRECTION_', currency) AS sku_name, make_timestamp(created_us) AS starts,
        starts AS ends, endpoint_id, endpoint_name, entity_name, principal_name, tags, currency,
        CAST(NULL AS INTEGER) AS price_version, currency AS usage_unit, CAST(cost_pico AS DECIMAL(38, 0)) * {_PICO}
        AS cost, CAST(cost AS DECIMAL(38, 18)) AS quantity,
        CASE WHEN cost_pico < 0 THEN 'RETRACTION' ELSE 'RESTATEMENT' END AS record_type, NULL AS usage_type,
        NULL AS offering_type
    FROM {CORRECTIONS}
), creators AS (SELECT endpoint_id, min(endpoint_creator) AS creator FROM {ENTITIES} GROUP BY endpoint_id)
SELECT md5(concat_ws('/', correction_id, starts, endpoint_id, entity_name, principal_name, CAST(tags AS VARCHAR),
        sku_name, price_version)) AS record_id, {WHERE_FROM}, sku_name, {_CLOUD} AS cloud,
    starts AS usage_start_time, ends AS usage_end_time, CAST(starts AS DATE) AS usage_date, tags AS custom_tags,
    usage_unit, quantity AS usage_quantity,
    struct_pack(endpoint_id := endpoint_id, endpoint_name := endpoint_name, entity_name := entity_name,
        {_empty(_NO_METADATA)}) AS usage_metadata,
    struct_pack(run_as := principal_name, owned_by := CAST(NULL AS VARCHAR), created_by := nullif(creator, ''))
        AS identity_metadata,
    record_type, CAST(starts AS DATE) AS ingestion_date, 'MODEL_SERVING' AS billing_origin_product,
    struct_pack(serving_type := 'FOUNDATION_MODEL', model_serving := struct_pack(offering_type := offering_type),
        is_serverless := CAST(NULL AS BOOLEAN), is_photon := CAST(NULL AS BOOLEAN), {_empty(_NO_FEATURES)})
        AS product_features,
    usage_type, cost, currency, price_version
FROM entries LEFT JOIN creators USING (endpoint_id)
"""

_PRICING = """
struct_pack("default" := amount, promotional := struct_pack("default" := CAST(NULL AS DECIMAL(25, 6))),
    effective_list := struct_pack("default" := amount))
"""

LIST_PRICES = f"""
WITH amounts AS (
    SELECT starts, ends, sku_name, currency, target_kind, target, price_version,
        CASE unit WHEN 'MODEL_UNIT_HOUR' THEN 'HOUR' ELSE 'MILLION_TOKENS' END AS usage_unit,
        CAST(amount_micro AS DECIMAL(19, 0)) * CAST(0.000001 AS DECIMAL(6, 6)) AS amount
    FROM ({_SPANS})
    UNION ALL BY NAME
    SELECT DISTINCT TIMESTAMP '1970-01-01' AS starts, concat('CORRECTION_', currency) AS sku_name, currency,
        currency AS usage_unit, CAST(1 AS DECIMAL(25, 6)) AS amount
    FROM {CORRECTIONS}
)
SELECT starts AS price_start_time, ends AS price_end_time, account_id, sku_name, {_CLOUD} AS cloud,
    currency AS currency_code, usage_unit, {_PRICING} AS pricing, target_kind, target, price_version
FROM amounts, (SELECT {WHERE_FROM})
"""
