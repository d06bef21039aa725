import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.control.endpoints.ai_gateway import checked_ai_gateway
from openfm.control.endpoints.inputs import ConfigInput, TagInput
from openfm.control.endpoints.parsing import Origin, Workshop, checked_endpoint_name, parsed_config, parsed_tags
from openfm.core.endpoint import EndpointConfig, EntitySettings, Route, WorkloadSize, pick_route
from openfm.core.errors import ApiError, InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.external import SecretReference
from tests.unit.control.endpoints.fakes import ANN, CHUNK, FakeKeys, FakeModels

ORIGIN = Origin(ANN, "0" * 32, 1, 5)
SECRET = "{{secrets/scope/key}}"
WORKSHOP = Workshop(FakeModels(), FakeKeys())
OPENAI = {"openai_api_base": "https://models.example/v1", "openai_api_key_plaintext": "sk-very-secret"}


def parsed(**body: Any) -> EndpointConfig:
    return parsed_config(ConfigInput.model_validate(body), ORIGIN, WORKSHOP)


def entity(**change: Any) -> dict[str, Any]:
    return {"entity_name": "main.a.llama", "entity_version": "1"} | change


def external(**change: Any) -> dict[str, Any]:
    model = {"provider": "openai", "name": "gpt-x", "task": "llm/v1/chat", "openai_config": OPENAI} | change
    return {"name": "other", "external_model": model}


def at(url: str) -> dict[str, Any]:
    return external(openai_config=OPENAI | {"openai_api_base": url})


def test_what_official_samples_send_loosely_is_understood() -> None:
    config = parsed(
        served_entities=[entity(entity_version=2, scale_to_zero_enabled="false", workload_size="small")],
        traffic_config={"routes": [{"served_model_name": "llama-2", "traffic_percentage": "100"}]},
        no_such_field={"x": 1},
    )
    (found,) = config.served_entities
    assert (found.name, found.entity_version, found.settings.workload_size) == ("llama-2", "2", WorkloadSize.SMALL)
    assert not found.settings.scale_to_zero_enabled
    assert config.routes == (Route("llama-2", 100),)


def test_the_deprecated_names_mean_the_same() -> None:
    old = parsed(served_models=[{"model_name": "main.a.llama", "model_version": "1", "scale_to_zero_enabled": True}])
    new = parsed(served_entities=[entity(scale_to_zero_enabled=True)])
    assert old == new


def test_the_same_model_keeps_its_replicas_when_only_traffic_changes_and_not_when_its_process_does() -> None:
    first, same, likewise, other = (
        parsed(served_entities=[entity(**change)]).served_entities[0].deployment_id
        for change in (
            {},
            {"scale_to_zero_enabled": True},
            {"environment_vars": {"A": "b"}},
            {"workload_type": "CPU_MEDIUM"},
        )
    )
    assert first == same == likewise != other


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"served_entities": []}, "served_entities"),
        ({"served_entities": [{"entity_version": "1"}]}, "entity_name"),
        ({"served_entities": [{"entity_name": "main.a.llama"}]}, "entity_version"),
        ({"served_entities": [entity(), entity()]}, "served_entities"),
        ({"served_entities": [entity(name="a b")]}, "served_entities.name"),
        ({"served_entities": [entity(workload_size="Huge")]}, "workload_size"),
        ({"served_entities": [entity(workload_type="TPU")]}, "workload_type"),
        ({"served_entities": [entity(max_provisioned_throughput=-CHUNK)]}, "max_provisioned_throughput"),
        ({"served_entities": [entity(max_provisioned_throughput=CHUNK + 1)]}, "max_provisioned_throughput"),
        ({"served_entities": [entity(max_provisioned_throughput=0)]}, "max_provisioned_throughput"),
        ({"served_entities": [entity(max_provisioned_throughput=10**16)]}, "max_provisioned_throughput"),
        ({"served_entities": [entity(min_provisioned_throughput=CHUNK)]}, "max_provisioned_throughput"),
        ({"served_entities": [entity(min_provisioned_throughput=0)]}, "max_provisioned_throughput"),
        ({"served_entities": [entity(provisioned_model_units=0)]}, "provisioned_model_units"),
        ({"served_entities": [entity(provisioned_model_units=10**400)]}, "provisioned_model_units"),
        (
            {"served_entities": [entity(provisioned_model_units=1, max_provisioned_throughput=CHUNK)]},
            "provisioned_model_units",
        ),
        (
            {"served_entities": [entity(provisioned_model_units=1, min_provisioned_throughput=0)]},
            "provisioned_model_units",
        ),
        (
            {"served_entities": [entity(min_provisioned_throughput=3 * CHUNK, max_provisioned_throughput=CHUNK)]},
            "min_provisioned_throughput",
        ),
        ({"served_entities": [entity(name="a"), entity(name="b")]}, "traffic_config"),
        ({"served_entities": [entity(), entity(entity_name="main.embed.bge")]}, "served_entities"),
        ({"served_entities": [external(provider="nobody")]}, "external_model.provider"),
        ({"served_entities": [external(openai_config=None)]}, "external_model.openai_config"),
        ({"served_entities": [external(task="llm/v1/fly")]}, "external_model.task"),
        ({"served_entities": [at("ftp://x")]}, "external_model"),
        ({"served_entities": [at("http://a@b/v1")]}, "external_model"),
        ({"served_entities": [external(openai_config=OPENAI | {"openai_api_key": SECRET})]}, "openai_api_key"),
        ({"served_entities": [external(openai_config={"openai_api_key": "sk-plain"})]}, "openai_api_key"),
    ],
)
def test_a_config_that_may_not_be_is_refused_with_the_field_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameterValue) as caught:
        parsed(**body)
    assert caught.value.param == field
    assert caught.value.message.endswith(".")
    assert "sk-" not in caught.value.message


def test_unknown_and_foreign_models_are_404_and_403() -> None:
    with pytest.raises(NotFound):
        parsed(served_entities=[entity(entity_version="9")])
    with pytest.raises(PermissionDenied):
        parsed(served_entities=[entity(entity_name="main.secret.llama")])


def test_an_external_models_key_is_encrypted_and_never_shown() -> None:
    (found,) = parsed(served_entities=[external()]).served_entities
    assert found.external is not None
    assert found.external.key.ciphertext == OPENAI["openai_api_key_plaintext"][::-1]
    assert "secret" not in str(found.external.shown)
    assert OPENAI["openai_api_key_plaintext"][::-1] not in repr(found)
    assert found.external.url == "https://models.example/v1"


def test_an_external_models_key_may_be_a_secret_that_exists() -> None:
    config = {"openai_api_key": "{{secrets/scope/key}}"}
    (found,) = parsed(served_entities=[external(openai_config=config)]).served_entities
    assert found.external is not None
    assert found.external.key.reference == SecretReference(config["openai_api_key"], "scope", ANN.id)
    assert found.external.shown["openai_config"] == config
    with pytest.raises(NotFound):
        parsed(served_entities=[external(openai_config={"openai_api_key": "{{secrets/no/such}}"})])


@pytest.mark.parametrize(
    "auth",
    [{"bearer_token_auth": {"token_plaintext": "k"}}, {"api_key_auth": {"key": "X-Api-Key", "value_plaintext": "k"}}],
)
def test_a_custom_provider_takes_the_key_where_it_wants_it(auth: dict[str, Any]) -> None:
    config = {"custom_provider_url": "http://models.example/v1/chat/completions", **auth}
    (found,) = parsed(served_entities=[external(provider="custom", custom_provider_config=config)]).served_entities
    assert found.external is not None
    assert found.external.header == ("x-api-key" if "api_key_auth" in auth else "authorization")
    assert found.external.url == "http://models.example/v1"


@pytest.mark.parametrize(
    "key",
    [
        *("Host", "transfer-encoding", "Content-Length", "content-type", "Connection", "Keep-Alive", "TE", "Trailer"),
        *("Upgrade", "Expect", "Proxy-Authorization", "Accept-Encoding"),
        *("", "a b", "a:b", "x\r\nHost", "ü", "x\n", "x" * 129),
    ],
)
def test_a_key_goes_into_no_header_that_http_itself_needs(key: str) -> None:
    config = {"custom_provider_url": "http://models.example", "api_key_auth": {"key": key, "value_plaintext": "k"}}
    with pytest.raises(InvalidParameterValue, match="header"):
        parsed(served_entities=[external(provider="custom", custom_provider_config=config)])


@pytest.mark.parametrize("value", ["sk-1\n", " sk-1", "a\r\nhost: b", "sk-ü", "a\0", "a\x7f"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(InvalidParameterValue, match="openai_api_key_plaintext") as refused:
        parsed(served_entities=[external(openai_config={"openai_api_key_plaintext": value})])
    assert value.strip() not in refused.value.message


def test_an_external_entity_has_an_id_that_nobody_finds_twice() -> None:
    (found,) = parsed(served_entities=[external()]).served_entities
    assert re.fullmatch(r"external-[0-9a-f]{32}", found.deployment_id)


@pytest.mark.parametrize(
    "name", ["", "a" * 64, "databricks-x", "-a", "a b", "a.b", "a/b", "x'; DROP TABLE--", "ü", "a\n"]
)
def test_names_that_endpoints_may_not_have(name: str) -> None:
    with pytest.raises(InvalidParameterValue) as caught:
        checked_endpoint_name(name)
    assert caught.value.param == "name"


@given(st.lists(st.integers(0, 100), min_size=1, max_size=15), st.floats(0, 100, exclude_max=True))
def test_a_split_gives_every_draw_to_one_entity_in_proportion(shares: list[int], draw: float) -> None:
    routes = [Route(str(number), share) for number, share in enumerate(shares)]
    if sum(shares) != 100:
        return
    chosen = pick_route(routes, draw)
    before = sum(route.traffic_percentage for route in routes[: routes.index(chosen)])
    assert before <= draw < before + chosen.traffic_percentage


@pytest.mark.parametrize(
    ("throughput", "advice"),
    [
        ({"max_provisioned_throughput": CHUNK + 1}, "Use 100 or 200."),
        ({"max_provisioned_throughput": 7}, "Use 100."),
        ({"max_provisioned_throughput": 99 * CHUNK + 1}, "Use 400."),
        ({"min_provisioned_throughput": 7, "max_provisioned_throughput": CHUNK}, "Use 0 or 100."),
    ],
)
def test_what_is_no_multiple_of_the_chunk_is_told_one_that_the_machine_has(
    throughput: dict[str, int], advice: str
) -> None:
    with pytest.raises(InvalidParameterValue, match=advice):
        parsed(served_entities=[entity(**throughput)])


def test_what_an_update_leaves_as_it_was_needs_no_multiple_of_todays_chunk() -> None:
    asked = entity(min_provisioned_throughput=7, max_provisioned_throughput=77)
    before = parsed(served_entities=[entity(min_provisioned_throughput=0, max_provisioned_throughput=CHUNK)])
    kept = replace(
        before.served_entities[0], settings=EntitySettings(min_provisioned_throughput=7, max_provisioned_throughput=77)
    )
    current = replace(before, served_entities=(kept,))
    body = ConfigInput.model_validate({"served_entities": [asked | {"entity_version": "2"}]})
    again = parsed_config(body, Origin(ANN, "e", 2, 9), Workshop(FakeModels(), FakeKeys()), current)
    assert again.served_entities[0].settings == kept.settings
    with pytest.raises(InvalidParameterValue, match="multiples of 100"):
        parsed(served_entities=[asked])


json_values = st.recursive(
    st.none() | st.integers(-5, 200) | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
routes = st.fixed_dictionaries({"served_entity_name": st.text(max_size=5), "traffic_percentage": st.integers(-10, 110)})
bodies = st.fixed_dictionaries(
    {},
    optional={
        "served_entities": st.lists(
            st.fixed_dictionaries(
                {"entity_name": st.sampled_from(["main.a.llama", "main.embed.bge", "x", ""])},
                optional={
                    "name": st.text(max_size=70),
                    "entity_version": st.sampled_from(["1", "2", "0", 3]),
                    "workload_size": st.text(max_size=6),
                    "min_provisioned_throughput": st.integers(-1, 300),
                    "max_provisioned_throughput": st.integers(-1, 300),
                    "provisioned_model_units": st.integers(-1, 3),
                },
            ),
            max_size=17,
        ),
        "traffic_config": st.fixed_dictionaries({"routes": st.lists(routes, max_size=4)}),
        "auto_capture_config": st.dictionaries(st.text(max_size=3), json_values, max_size=2),
    },
)


@given(bodies)
def test_whatever_comes_in_is_a_config_or_an_error_with_a_sentence(body: dict[str, Any]) -> None:
    found: EndpointConfig | ApiError
    try:
        found = parsed(**body)
    except ApiError as error:
        found = error
    if isinstance(found, ApiError):
        assert found.message.endswith((".", "?"))
        assert 400 <= found.status < 500
    else:
        assert sum(route.traffic_percentage for route in found.routes) == 100


def test_tags_are_bounded() -> None:
    assert parsed_tags([TagInput(key="a", value="b"), TagInput(key="c")]) == {"a": "b", "c": ""}
    for tags in ([TagInput(key="")], [TagInput(key="x" * 256)], [TagInput(key=str(n)) for n in range(21)]):
        with pytest.raises(InvalidParameterValue):
            parsed_tags(tags)


def test_of_an_ai_gateway_the_known_is_kept_and_the_wrong_refused() -> None:
    kept = checked_ai_gateway({"fallback_config": {"enabled": "true"}, "rate_limits": [], "unknown": 1})
    assert kept == {"fallback_config": {"enabled": True}, "rate_limits": []}
    refused: list[dict[str, object]] = [
        {"rate_limits": [{"calls": -1, "renewal_period": "minute"}]},
        {"rate_limits": [{"calls": 1, "tokens": 1, "renewal_period": "minute"}]},
        {"rate_limits": [{"calls": 1, "renewal_period": "year"}]},
        {"rate_limits": [{"tokens": 10**16, "renewal_period": "minute"}]},
        {"rate_limits": [{"calls": n, "key": "user", "renewal_period": "minute"} for n in (1, 2)]},
        {"guardrails": {"input": {"pii": {"behavior": "EAT"}}}},
        {"fallback_config": 7},
    ]
    for wrong in refused:
        with pytest.raises(InvalidParameterValue):
            checked_ai_gateway(wrong)


def test_a_model_is_kept_under_one_spelling_of_its_name_and_version() -> None:
    (found,) = parsed(served_entities=[entity(entity_name="MAIN.A.Llama", entity_version="01")]).served_entities
    assert (found.entity_name, found.entity_version) == ("main.a.llama", "1")
