from collections.abc import Mapping

import pytest

from openfm.control.endpoints.spillover import check_not_spilled_to, check_spillover
from openfm.core.endpoint import (
    SPILLOVER_TAG,
    EndpointConfig,
    EndpointDetails,
    EndpointType,
    EntitySettings,
    Route,
    ServedEntity,
    ServingEndpoint,
)
from openfm.core.errors import InvalidParameterValue
from openfm.core.model import ModelProfile, Task

MODEL = ModelProfile("m", "m", "M", "", "", Task.CHAT, context_length=100)
PER_TOKEN = EntitySettings()
PROVISIONED = EntitySettings(max_provisioned_throughput=10)


def config(settings: EntitySettings = PER_TOKEN) -> EndpointConfig:
    return EndpointConfig(1, (ServedEntity("e", "system.ai.m", "1", MODEL, "d", settings),), (Route("e", 100),))


def endpoint(
    name: str, spillover: str = "", settings: EntitySettings = PER_TOKEN, task: Task = Task.CHAT
) -> ServingEndpoint:
    details = EndpointDetails(tags={SPILLOVER_TAG: spillover} if spillover else {})
    active = config(settings)
    return ServingEndpoint(name, name, task, EndpointType.CUSTOM_MODEL, "ann", 0, 0, active, details=details)


def among(*endpoints: ServingEndpoint) -> Mapping[str, ServingEndpoint]:
    return {one.name: one for one in endpoints}


def test_a_pay_per_token_endpoint_of_the_same_task_may_take_the_rest() -> None:
    check_spillover(endpoint("pt", "shared", PROVISIONED), among(endpoint("shared")))
    check_spillover(endpoint("pt"), {})


@pytest.mark.parametrize(
    ("target", "others", "said"),
    [
        ("pt", among(endpoint("pt")), "to itself"),
        ("gone", {}, "no endpoint 'gone'"),
        ("other", among(endpoint("other", settings=PROVISIONED)), "has provisioned throughput itself"),
        ("other", among(endpoint("other", task=Task.EMBEDDINGS)), "serves llm/v1/embeddings"),
        ("a", among(endpoint("a", "b"), endpoint("b", "pt")), "circle: pt -> a -> b -> pt"),
    ],
)
def test_a_spillover_that_leads_nowhere_or_back_is_refused(
    target: str, others: Mapping[str, ServingEndpoint], said: str
) -> None:
    with pytest.raises(InvalidParameterValue, match=said):
        check_spillover(endpoint("pt", target, PROVISIONED), others)


def test_a_circle_among_others_ends_the_search() -> None:
    check_spillover(endpoint("pt", "a"), among(endpoint("a", "b"), endpoint("b", "a")))


def test_who_takes_the_rest_of_others_gets_no_provisioned_throughput() -> None:
    shared, others = endpoint("shared"), among(endpoint("pt", "shared", PROVISIONED))
    check_not_spilled_to(shared, config(), others)
    check_not_spilled_to(endpoint("free"), config(PROVISIONED), others)
    with pytest.raises(InvalidParameterValue, match="pt spill over to this endpoint"):
        check_not_spilled_to(shared, config(PROVISIONED), others)
