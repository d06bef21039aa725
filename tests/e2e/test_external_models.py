"""External models, with this very server as the other provider."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from tests.conftest import CHAT, EMBEDDING, Server, StartServer
from tests.e2e.load import Management

_ROOT = "/api/2.0/serving-endpoints"
_QUESTION = {"messages": [{"role": "user", "content": "Name the capital of France."}], "temperature": 0}
_NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Iterator[Server]:
    server = start_server(egress_allow="127.0.0.1")
    yield server
    server.end()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def management(own: Server, session: aiohttp.ClientSession) -> Management:
    return Management(own, session)


def external(own: Server, entity: str, **change: Any) -> dict[str, Any]:
    config = {"openai_api_base": f"{own.url}/v1", "openai_api_key_plaintext": own.token} | change.pop("config", {})
    model = {"provider": "openai", "name": CHAT, "task": "llm/v1/chat", "openai_config": config} | change
    return {"name": entity, "external_model": model}


async def ask(own: Server, session: aiohttp.ClientSession, endpoint: str, **body: Any) -> tuple[int, Any, str | None]:
    """Status, JSON or text of the answer, and who answered."""
    url = f"{own.url}/serving-endpoints/{endpoint}/invocations"
    headers = {"authorization": f"Bearer {own.token}"}
    async with session.post(url, json=body or _QUESTION, headers=headers) as answer:
        is_json = answer.content_type == "application/json"
        return (
            answer.status,
            await (answer.json() if is_json else answer.text()),
            answer.headers.get("served-model-name"),
        )


async def create(management: Management, name: str, *entities: dict[str, Any], **more: Any) -> Any:
    routes = [{"served_entity_name": e["name"], "traffic_percentage": 0 if i else 100} for i, e in enumerate(entities)]
    config = {"served_entities": list(entities), "traffic_config": {"routes": routes}}
    await management.ask("POST", _ROOT, {"name": name, "config": config, **more})
    return await management.settled(name)


async def test_another_providers_model_answers_and_its_key_is_never_shown(
    own: Server, management: Management, session: aiohttp.ClientSession
) -> None:
    shown = await create(management, "elsewhere", external(own, "far"))
    assert shown["endpoint_type"] == "EXTERNAL_MODEL"
    assert shown["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
    (entity,) = shown["config"]["served_entities"]
    assert entity["external_model"]["openai_config"] == {"openai_api_base": f"{own.url}/v1"}
    status, answer, entity = await ask(own, session, "elsewhere")
    assert (status, entity) == (200, "far")
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0
    status, text, _ = await ask(own, session, "elsewhere", stream=True, **_QUESTION)
    assert status == 200
    assert text.endswith("data: [DONE]\n\n")
    listed = await management.ask("GET", _ROOT)
    assert own.token not in str(listed)
    assert all(own.token.encode() not in file.read_bytes() for file in own.home.glob("openfm.db*"))
    assert own.token not in own.log.partition("Try it")[2]


async def test_another_providers_embeddings_come_through(
    own: Server, management: Management, session: aiohttp.ClientSession
) -> None:
    await create(management, "vectors", external(own, "far", name=EMBEDDING, task="llm/v1/embeddings"))
    status, answer, _ = await ask(own, session, "vectors", input=["a cat", "a kitten"])
    assert status == 200
    assert len(answer["data"][1]["embedding"]) == 384


async def test_line_78_a_fallback_answers_when_the_first_does_not(
    own: Server, management: Management, session: aiohttp.ClientSession
) -> None:
    entities = (external(own, "gone", config={"openai_api_base": _NOBODY}), external(own, "there"))
    await create(management, "careful", *entities, ai_gateway={"fallback_config": {"enabled": True}})
    status, answer, entity = await ask(own, session, "careful")
    assert (status, entity) == (200, "there")
    assert "Paris" in answer["choices"][0]["message"]["content"]
    await create(management, "careless", *entities)
    status, answer, _ = await ask(own, session, "careless")
    assert status == 502
    assert "could not be reached" in answer["message"]


async def test_a_key_that_the_provider_refuses_is_said_so_without_the_key(
    own: Server, management: Management, session: aiohttp.ClientSession
) -> None:
    wrong = {"openai_api_key_plaintext": "sk-wrong-and-long-enough"}
    await create(management, "locked", external(own, "far", config=wrong))
    status, answer, _ = await ask(own, session, "locked")
    assert status == 502
    assert "refused the key" in answer["message"]
    assert "sk-wrong" not in str(answer)


async def test_a_private_address_that_is_not_allowed_is_not_reached(own: Server, management: Management) -> None:
    """Only 127.0.0.1 is allowed here; the metadata address of clouds is the classic target."""
    config = {"openai_api_base": "http://169.254.169.254/v1"}
    body = {"name": "spy", "config": {"served_entities": [external(own, "far", config=config)]}}
    await management.ask("POST", _ROOT, body)
    shown: Any = await management.settled("spy", timeout_s=60)
    assert shown["state"]["config_update"] == "UPDATE_FAILED"
    assert "egress" in shown["pending_config"]["served_entities"][0]["state"]["deployment_state_message"].lower()
