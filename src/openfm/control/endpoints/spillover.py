"""Who answers above an endpoint's provisioned throughput: a pay-per-token endpoint, named by a tag. Pure rules."""

from collections.abc import Mapping

from openfm.core.endpoint import SPILLOVER_TAG, EndpointConfig, ServingEndpoint
from openfm.core.errors import InvalidParameterValue


def check_spillover(endpoint: ServingEndpoint, others: Mapping[str, ServingEndpoint]) -> None:
    """Refuse a spillover that would lead nowhere, or back. `others` are all endpoints by name.

    Raises `InvalidParameterValue`.
    """
    name = endpoint.details.spillover_endpoint
    if name is None:
        return
    if name == endpoint.name:
        raise _refused("An endpoint cannot spill over to itself. Name a pay-per-token endpoint.")
    target = others.get(name)
    if target is None:
        raise _refused(f"There is no endpoint '{name}' to spill over to. Name a pay-per-token endpoint.")
    circle = _way_back(endpoint, others)
    if circle:
        raise _refused(f"The spillover would go in a circle: {' -> '.join(circle)}. Name another endpoint.")
    if is_provisioned(target.config) or is_provisioned(target.pending_config):
        raise _refused(
            f"The endpoint '{name}' has provisioned throughput itself. Spill over to a pay-per-token endpoint."
        )
    if target.task is not endpoint.task:
        raise _refused(f"The endpoint '{name}' serves {target.task}, this one {endpoint.task}. Name one of its task.")


def check_not_spilled_to(
    endpoint: ServingEndpoint, config: EndpointConfig, others: Mapping[str, ServingEndpoint]
) -> None:
    """Refuse provisioned throughput for an endpoint that takes what others have too much of.

    Raises `InvalidParameterValue`.
    """
    if not is_provisioned(config):
        return
    senders = sorted(other.name for other in others.values() if other.details.spillover_endpoint == endpoint.name)
    if senders:
        raise _refused(
            f"{', '.join(senders)} spill over to this endpoint, so it cannot have provisioned throughput. Remove their "
            f"tag {SPILLOVER_TAG} first."
        )


def is_provisioned(config: EndpointConfig | None) -> bool:
    """Whether any of its entities was promised throughput."""
    return config is not None and any(entity.settings.is_provisioned for entity in config.served_entities)


def _way_back(endpoint: ServingEndpoint, others: Mapping[str, ServingEndpoint]) -> list[str]:
    """The names from the endpoint back to it, along spillovers; empty where they end elsewhere."""
    way, following = [endpoint.name], endpoint.details.spillover_endpoint
    while following is not None and following in others and following not in way:
        way.append(following)
        following = others[following].details.spillover_endpoint
    return [*way, endpoint.name] if following == endpoint.name else []


def _refused(sentence: str) -> InvalidParameterValue:
    return InvalidParameterValue(sentence, param=f"tags.{SPILLOVER_TAG}")
