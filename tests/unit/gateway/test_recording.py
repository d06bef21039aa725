"""Inference tables hold what came and what was sent, and only of endpoints that have one."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.core.endpoint import EndpointDetails, ServingEndpoint, served_entity_id
from openfm.core.payload import MOST_BYTES, Payload
from openfm.core.price_book import PriceBook
from openfm.engines.scripted import ScriptedEngine
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.exchange import ExchangeLog, Sinks
from openfm.gateway.guards import Guards
from openfm.gateway.idempotency import Attempts
from openfm.gateway.invoke import Gateway
from openfm.gateway.recording import Recording
from openfm.gateway.routes import DataPlane
from openfm.limits.key_store import InProcessKeys
from openfm.telemetry.metrics import Metrics
from tests.unit.gateway.fakes import FakeDirectory, FakeLedger, FakeLimiter, FakeReplica, FakeRoster
from tests.unit.gateway.test_frames import ENDPOINT, SCOPE

LOGGED = replace(ENDPOINT, details=EndpointDetails(ai_gateway={"inference_table_config": {"enabled": True}}))
PATH = str(SCOPE["path"])
ASKED = b'{"model":"llama","client_request_id":"mine","messages":[{"role":"user","content":"Hi"}]}'


@dataclass
class Kept:
    """Fulfils `PayloadSink`."""

    rows: list[Payload] = field(default_factory=list)

    def record(self, payload: Payload) -> None:
        self.rows.append(payload)


async def asked(
    body: bytes, endpoint: ServingEndpoint = LOGGED, ledger: FakeLedger | None = None, path: str = PATH
) -> tuple[list[Payload], bytes]:
    """The rows that one request leaves, and what its client got."""
    kept = Kept()
    sent: list[bytes] = []
    arriving = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not arriving:
            await asyncio.Event().wait()  # this client never hangs up
        return arriving.pop()

    async def send(message: Any) -> None:
        sent.append(message.get("body") or b"")

    gateway = Gateway(
        FakeDirectory(endpoint),
        FakeRoster([FakeReplica(ScriptedEngine())]),
        Admission(QueueLimits(), lambda: 0.0),
        Guards(FakeLimiter()),
        lambda: 0.0,
    )
    times = itertools.count(1000)
    exchanges = ExchangeLog(
        ledger or FakeLedger(),
        Attempts(InProcessKeys(lambda: 0.0)),
        Sinks((), kept),
        Metrics(),
        lambda: float(next(times)),
    )
    await DataPlane(gateway, TokenBook({"t": ADMIN}), exchanges, PriceBook(()))({**SCOPE, "path": path}, receive, send)
    return kept.rows, b"".join(sent)


async def test_a_row_holds_the_request_as_it_came_and_the_answer_as_it_was_sent() -> None:
    (row,), sent = await asked(ASKED)
    assert row.request == ASKED.decode()
    assert row.response == sent.decode()
    assert json.loads(row.response)["choices"]
    assert (row.status_code, row.client_request_id, row.requester) == (200, "mine", "admin")
    entity = LOGGED.active.served_entities[0]
    assert row.served_entity_id == served_entity_id(LOGGED.id, LOGGED.active.version, entity.name)
    assert (row.endpoint_id, row.error_codes) == (LOGGED.id, ())
    assert row.request_time_us == 1_000_000_000
    assert row.execution_duration_ms > 0


async def test_of_a_stream_the_frames_are_kept() -> None:
    (row,), sent = await asked(ASKED.replace(b'"client', b'"stream":true,"client'))
    assert row.response == sent.decode()
    assert row.response.endswith("data: [DONE]\n\n")


async def test_a_refusal_is_kept_with_its_status() -> None:
    (row,), sent = await asked(ASKED, ledger=FakeLedger(is_full=True))
    assert row.status_code == 503
    assert row.response == sent.decode()


@pytest.mark.parametrize(
    "config", [None, {}, {"inference_table_config": {"enabled": False}}, {"inference_table_config": {}}]
)
async def test_where_it_is_off_nothing_is_kept(config: dict[str, Any] | None) -> None:
    endpoint = replace(ENDPOINT, details=EndpointDetails(ai_gateway=config))
    rows, sent = await asked(ASKED, endpoint)
    assert rows == []
    assert sent


@pytest.mark.parametrize(
    "body",
    [
        ASKED.replace(b'"Hi"', b"7"),
        ASKED.replace(b'"user"', b'"nobody"'),
        b'{"model":"llama","client_request_id":"mine"}',
        ASKED.replace(b'"messages"', b'"temperature":9,"messages"'),
    ],
)
async def test_a_body_that_is_not_understood_is_kept_with_its_refusal(body: bytes) -> None:
    (row,), sent = await asked(body)
    assert (row.status_code, row.request, row.response) == (400, body.decode(), sent.decode())
    assert (row.endpoint_id, row.served_entity_id, row.client_request_id) == (LOGGED.id, "", "mine")


async def test_a_body_that_is_no_json_is_kept_where_the_path_names_the_endpoint() -> None:
    (row,), sent = await asked(b"{", path="/serving-endpoints/llama/invocations")
    assert (row.status_code, row.request, row.response) == (400, "{", sent.decode())


async def test_what_is_no_request_to_an_endpoint_leaves_no_row() -> None:
    assert (await asked(b"{"))[0] == []
    assert (await asked(ASKED.replace(b"llama", b"other")))[0] == []


async def test_what_is_too_large_is_left_out_and_said_so() -> None:
    large = ASKED.replace(b"Hi", b"x" * MOST_BYTES)
    (row,), _ = await asked(large)
    assert row.request is None
    assert row.error_codes[0] == "MAX_REQUEST_SIZE_EXCEEDED"
    recording = Recording(_nowhere)
    for _ in range(3):
        await recording({"body": b"x" * (MOST_BYTES // 2)})
    assert recording.texts(b"\xff\0") == ("\ufffd\ufffd", None, ("MAX_RESPONSE_SIZE_EXCEEDED",))


async def _nowhere(message: Any) -> None:
    del message
