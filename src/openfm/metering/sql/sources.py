"""What the tables that a question may ask are made of: rows out of the database and the archive, by their columns."""

from collections.abc import Mapping
from types import MappingProxyType

ACCOUNT_ID = "00000000-0000-0000-0000-000000000000"
NEW, LEDGER, ENTITIES, PRICES = "new_rows", "ledger_rows", "entity_rows", "price_rows"
UNIT_HOURS = "unit_hour_rows"
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
        "endpoint_creator": "VARCHAR",
        "changed_ms": "BIGINT",
        "deleted_ms": "BIGINT",
        "provider": "VARCHAR",
        "min_provisioned_throughput": "BIGINT",
        "max_provisioned_throughput": "BIGINT",
        "provisioned_model_units": "BIGINT",
        "scale_to_zero_enabled": "BOOLEAN",
        "workload_type": "VARCHAR",
        "is_visible": "BOOLEAN",
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
        "endpoint_id": "VARCHAR",
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
UNIT_HOUR_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "hour_s": "BIGINT",
        "endpoint_id": "VARCHAR",
        "endpoint_name": "VARCHAR",
        "entity_name": "VARCHAR",
        "principal_name": "VARCHAR",
        "tags": "MAP(VARCHAR, VARCHAR)",
        "currency": "VARCHAR",
        "price_version": "INTEGER",
        "unit_seconds": "BIGINT",
        "cost_micro": "BIGINT",
        "cost_rest": "BIGINT",
    }
)
PAYLOAD_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "databricks_request_id": "VARCHAR",
        "client_request_id": "VARCHAR",
        "request_time_us": "BIGINT",
        "status_code": "INTEGER",
        "sampling_fraction": "DOUBLE",
        "execution_duration_ms": "BIGINT",
        "request": "VARCHAR",
        "response": "VARCHAR",
        "served_entity_id": "VARCHAR",
        "logging_error_codes": "VARCHAR[]",
        "requester": "VARCHAR",
    }
)

WHERE_FROM = f"'{ACCOUNT_ID}' AS account_id, getvariable('workspace_id') AS workspace_id"
