"""The AI gateway's configuration of an endpoint (databricks-sdk `AiGatewayConfig`): its known parts, checked."""

from typing import Literal

from pydantic import ValidationError

from openfm.control.endpoints.inputs import Input, RateLimitInput
from openfm.control.endpoints.parsing import parsed_limits
from openfm.core.errors import InvalidParameterValue


class Switch(Input):
    """Something that is on or off."""

    enabled: bool = False


class InferenceTableConfig(Input):
    """Where requests and answers are kept."""

    catalog_name: str | None = None
    schema_name: str | None = None
    table_name_prefix: str | None = None
    enabled: bool = False


class Pii(Input):
    """What happens to personal data."""

    behavior: Literal["BLOCK", "MASK", "NONE"] = "NONE"


class Guardrail(Input):
    """What is looked for in one direction."""

    invalid_keywords: list[str] | None = None
    valid_topics: list[str] | None = None
    pii: Pii | None = None
    safety: bool | None = None


class Guardrails(Input):
    """What is looked for in requests and in answers."""

    input: Guardrail | None = None
    output: Guardrail | None = None


class AiGatewayInput(Input):
    """The body of `PUT …/ai-gateway`."""

    usage_tracking_config: Switch | None = None
    inference_table_config: InferenceTableConfig | None = None
    rate_limits: list[RateLimitInput] | None = None
    guardrails: Guardrails | None = None
    fallback_config: Switch | None = None


def checked_ai_gateway(body: dict[str, object]) -> dict[str, object]:
    """The known parts of `body`, coerced. Raises `InvalidParameterValue` with the field."""
    try:
        asked = AiGatewayInput.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("ai_gateway", *first["loc"]))
        raise InvalidParameterValue(f"{where}: {first['msg']}", param=where) from None
    parsed_limits(asked.rate_limits or ())
    return asked.model_dump(exclude_none=True)
