"""Serving endpoints as clients send them. Lenient, as Databricks is: unknown fields are ignored, loose types coerced.

What is asked for is judged in `parsing.py`; here only the shape is.
"""

from pydantic import BaseModel, ConfigDict, StrictInt


class Input(BaseModel):
    """A request body or a part of one."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class OpenAiConfig(Input):
    """`openai_config` of an external model."""

    openai_api_base: str | None = None
    openai_api_key: str | None = None
    openai_api_key_plaintext: str | None = None


class BearerTokenAuth(Input):
    """A key in the Authorization header."""

    token: str | None = None
    token_plaintext: str | None = None


class ApiKeyAuth(Input):
    """A key in a header of the provider's choice."""

    key: str
    value: str | None = None
    value_plaintext: str | None = None


class CustomProviderConfig(Input):
    """`custom_provider_config` of an external model."""

    custom_provider_url: str
    bearer_token_auth: BearerTokenAuth | None = None
    api_key_auth: ApiKeyAuth | None = None


class DatabricksModelServingConfig(Input):
    """`databricks_model_serving_config` of an external model."""

    databricks_workspace_url: str
    databricks_api_token: str | None = None
    databricks_api_token_plaintext: str | None = None


class ExternalModelInput(Input):
    """Another provider's model."""

    provider: str
    name: str
    task: str
    openai_config: OpenAiConfig | None = None
    custom_provider_config: CustomProviderConfig | None = None
    databricks_model_serving_config: DatabricksModelServingConfig | None = None


class ServedEntityInput(Input):
    """A served entity, under its own names or those of the deprecated `served_models`."""

    name: str | None = None
    entity_name: str | None = None
    entity_version: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    external_model: ExternalModelInput | None = None
    workload_size: str | None = None
    workload_type: str | None = None
    scale_to_zero_enabled: bool = False
    environment_vars: dict[str, str] | None = None
    min_provisioned_throughput: int | None = None
    max_provisioned_throughput: int | None = None
    provisioned_model_units: int | None = None
    burst_scaling_enabled: bool | None = None


class RouteInput(Input):
    """A share of traffic, under the new or the old name of its entity."""

    served_entity_name: str | None = None
    served_model_name: str | None = None
    traffic_percentage: int


class TrafficConfigInput(Input):
    """All shares."""

    routes: list[RouteInput] | None = None


class ConfigInput(Input):
    """A configuration; the body of an update."""

    served_entities: list[ServedEntityInput] | None = None
    served_models: list[ServedEntityInput] | None = None
    traffic_config: TrafficConfigInput | None = None
    auto_capture_config: dict[str, object] | None = None


class TagInput(Input):
    """A tag; a key alone is a tag too."""

    key: str
    value: str = ""


class RateLimitInput(Input):
    """A limit of the legacy route or of the AI gateway: `calls` or `tokens` per `renewal_period`."""

    calls: StrictInt | None = None  # strict: `true` would be a limit of 1
    tokens: StrictInt | None = None
    key: str | None = None
    principal: str | None = None
    renewal_period: str


class EndpointInput(Input):
    """The body of a creation."""

    name: str
    config: ConfigInput | None = None
    ai_gateway: dict[str, object] | None = None
    rate_limits: list[RateLimitInput] | None = None
    tags: list[TagInput] | None = None
    description: str | None = None
    budget_policy_id: str | None = None
    email_notifications: dict[str, object] | None = None


class ProvisionedEndpointInput(EndpointInput):
    """The body of `POST …/pt`: as a creation, with `provisioned_model_units` in every entity."""


class ProvisionedConfigInput(Input):
    """The body of `PUT …/pt/{name}/config`."""

    config: ConfigInput


class TagsPatch(Input):
    """Tags to add or change, and keys to delete."""

    add_tags: list[TagInput] | None = None
    delete_tags: list[str] | None = None


class RateLimitsInput(Input):
    """The body of `PUT …/rate-limits`."""

    rate_limits: list[RateLimitInput] | None = None


class NotificationsInput(Input):
    """The body of `PATCH …/notifications`."""

    email_notifications: dict[str, object] | None = None


class DescriptionInput(Input):
    """The body of `PATCH …/description`."""

    description: str = ""


class BudgetPolicyInput(Input):
    """The body of `PATCH …/budget-policy`."""

    budget_policy_id: str | None = None


class TelemetryInput(Input):
    """The body of `PATCH …/telemetry-config`."""

    telemetry_config: dict[str, object] | None = None
