"""The server asks its own data plane, on behalf of a caller."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from openfm.batch.asking import Refusal
from openfm.batch.question import Question
from openfm.core.principal import Principal
from openfm.gateway.asgi import Receive, Scope, Send
from openfm.server.in_process import StatementModels

ANN = Principal("p1", "ann@example.org")
HI = Question("chat", "Hi", '{"max_tokens": 4}')


@dataclass
class FakeData:
    """Answers with a status, headers and a body; waits for the client to hang up where there is no status."""

    status: int | None = 200
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[Scope, bytes]] = field(default_factory=list)
    hung_up: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append((scope, (await receive())["body"]))
        if self.status is None:
            assert (await receive())["type"] == "http.disconnect"
            self.hung_up += 1
            return
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers.items())})
        await send({"type": "http.response.body", "body": json.dumps(self.body).encode()})


async def asked(data: FakeData) -> dict[str, Any]:
    models = StatementModels(data, lambda _: [])("s1", ANN, "secret")
    return await models.server.ask(HI, "key")


async def test_a_question_is_a_request_of_the_caller_tagged_with_the_statement() -> None:
    data = FakeData(body={"id": "a1"})
    assert await asked(data) == {"id": "a1"}
    ((scope, body),) = data.seen
    assert (scope["method"], scope["path"]) == ("POST", "/serving-endpoints/chat/invocations")
    assert (b"authorization", b"Bearer secret") in scope["headers"]
    assert json.loads(body) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 4,
        "usage_context": {"openfm_statement": "s1"},
    }


async def test_a_refusal_says_when_to_come_back_or_never() -> None:
    with pytest.raises(Refusal, match="Slowly") as limited:
        await asked(FakeData(429, {b"retry-after-ms": b"1500"}, {"message": "Slowly."}))
    assert (limited.value.status, limited.value.retry_after_s, limited.value.is_final) == (429, 1.5, False)
    with pytest.raises(Refusal) as spent:
        await asked(FakeData(429, {b"x-should-retry": b"false"}, {"message": "Spent."}))
    assert spent.value.is_final


async def test_a_question_that_is_cancelled_hangs_up_as_any_client() -> None:
    data = FakeData(status=None)
    asking = asyncio.create_task(asked(data))
    while not data.seen:  # noqa: ASYNC110  # a turn of the loop, not time
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert asking.cancelled()
    assert data.hung_up == 1
