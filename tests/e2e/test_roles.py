"""One control server and gateways beside it: together they do what one server does, and any may die."""

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from openfm.core.ledger import LedgerState
from openfm.server.leases import LEASE_S
from tests.conftest import CHAT, Server, StartServer, clean_environment
from tests.contract.limits.redis_server import running_redis
from tests.e2e.gateways import gateway_of
from tests.e2e.load import Load, Management
from tests.e2e.test_ledger import Read, closed_rows, read_stream

_ROOT = "/api/2.0/serving-endpoints"
_MODEL = {"entity_name": "system.ai.smollm2_135m_instruct", "entity_version": "1"}
_CHANGES_ARRIVE_S = 2.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """A control server and its gateways; `redis_url` is where limits are counted."""

    control: Server
    gateways: list[Server]
    redis_url: str


@pytest.fixture(scope="module")
def workspace(start_server: StartServer) -> Iterator[Workspace]:
    with running_redis() as redis, ExitStack() as stack:
        settings = {"egress_allow": "127.0.0.1", "scale_to_zero_after_s": "2", "engine_slots": "8"}
        control = start_server("--role", "control", **settings)
        settings["valkey_url"] = redis.url
        yield Workspace(control, [stack.enter_context(gateway_of(control, **settings)) for _ in range(2)], redis.url)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def management(workspace: Workspace, session: aiohttp.ClientSession) -> Management:
    return Management(workspace.control, session)


async def ask(session: aiohttp.ClientSession, server: Server, endpoint: str, token: str = "") -> tuple[int, str]:
    """Status and text of a short answer."""
    body = {"messages": [{"role": "user", "content": "Hi."}], "max_tokens": 3}
    headers = {"authorization": f"Bearer {token or server.token}"}
    async with session.post(
        f"{server.url}/serving-endpoints/{endpoint}/invocations", json=body, headers=headers
    ) as got:
        return got.status, await got.text()


async def until_status(
    session: aiohttp.ClientSession, server: Server, endpoint: str, status: int, token: str = ""
) -> float:
    """Seconds until the endpoint answers so."""
    began = time.monotonic()
    async with asyncio.timeout(60):
        while (await ask(session, server, endpoint, token))[0] != status:  # noqa: ASYNC110  # a real server
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def create(management: Management, endpoint: str, **entity: object) -> None:
    await management.ask("POST", _ROOT, {"name": endpoint, "config": {"served_entities": [{**_MODEL, **entity}]}})
    ended: Any = await management.settled(endpoint)
    assert ended["state"]["ready"] == "READY", ended


async def test_each_process_says_where_to_go_with_what_it_does_not_answer(
    workspace: Workspace, session: aiohttp.ClientSession
) -> None:
    status, text = await ask(session, workspace.control, CHAT)
    assert (status, json.loads(text)["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "gateway" in text
    statement = {"statement": f"SELECT ai_query('{CHAT}', 'Hi.')"}
    headers = {"authorization": f"Bearer {workspace.control.token}"}
    statements = f"{workspace.control.url}/api/2.0/sql/statements/"
    async with session.post(statements, json=statement, headers=headers) as answer:
        told = (await answer.json())["status"]
        assert (told["state"], "gateway" in told["error"]["message"]) == ("FAILED", True)
    async with session.get(f"{workspace.gateways[0].url}{_ROOT}") as answer:
        assert answer.status == 404
        assert "control server" in await answer.text()


async def test_a_token_works_on_every_gateway_at_once_and_a_revoked_one_nowhere(
    workspace: Workspace, management: Management, session: aiohttp.ClientSession
) -> None:
    made: Any = await management.ask("POST", "/api/2.0/token/create", {"comment": "for a colleague"})
    token, identifier = made["token_value"], made["token_info"]["token_id"]
    for gateway in workspace.gateways:
        assert await until_status(session, gateway, CHAT, 200, token) < _CHANGES_ARRIVE_S
    await management.ask("POST", "/api/2.0/token/delete", {"token_id": identifier})
    for gateway in workspace.gateways:
        assert await until_status(session, gateway, CHAT, 401, token) < _CHANGES_ARRIVE_S


async def test_a_key_is_good_for_one_answer_whichever_gateway_is_asked(
    workspace: Workspace, session: aiohttp.ClientSession
) -> None:
    body, key = {"messages": [{"role": "user", "content": "Hi."}], "max_tokens": 3}, secrets.token_hex(16)

    async def once(server: Server) -> tuple[int, str, str]:
        headers = {"authorization": f"Bearer {server.token}", "idempotency-key": key}
        url = f"{server.url}/serving-endpoints/{CHAT}/invocations"
        async with session.post(url, json=body, headers=headers) as answer:
            return answer.status, answer.headers["x-request-id"], await answer.text()

    answers = await asyncio.gather(*(once(server) for server in workspace.gateways * 4))
    (first,) = [request_id for status, request_id, _ in answers if status == 200]
    others = [(status, text) for status, request_id, text in answers if request_id != first]
    assert {status for status, _ in others} == {409}
    assert all(first in text for _, text in others)


async def test_a_rolling_update_fails_no_request_on_any_gateway(
    workspace: Workspace, management: Management, session: aiohttp.ClientSession
) -> None:
    await create(management, "rolling", name="old", workload_type="CPU_MEDIUM")
    first, second = workspace.gateways
    for gateway in workspace.gateways:
        assert await until_status(session, gateway, "rolling", 200) < _CHANGES_ARRIVE_S
    async with Load(first, "rolling", 8, max_tokens=12) as one, Load(second, "rolling", 8, max_tokens=12) as other:
        await asyncio.gather(one.until(8), other.until(8))
        config = {"served_entities": [{**_MODEL, "name": "new", "scale_to_zero_enabled": True}]}
        await management.ask("PUT", f"{_ROOT}/rolling/config", config)
        ended: Any = await management.settled("rolling")
        await asyncio.gather(one.until(16), other.until(16))
    assert ended["config"]["config_version"] == 2
    assert one.outcome.lost == other.outcome.lost == []
    for load in (one, other):
        assert load.outcome.entities["new"] >= 8
    await management.ask("DELETE", f"{_ROOT}/rolling")


async def test_an_endpoint_that_sleeps_is_woken_once_for_all_gateways(
    workspace: Workspace, management: Management, session: aiohttp.ClientSession
) -> None:
    await create(management, "sleepy", name="sleeper", scale_to_zero_enabled=True)
    async with asyncio.timeout(60):
        while True:
            shown: Any = await management.ask("GET", f"{_ROOT}/sleepy")
            if "zero" in shown["config"]["served_entities"][0]["state"]["deployment_state_message"]:
                break
            await asyncio.sleep(0.1)
    asked = [ask(session, gateway, "sleepy") for gateway in workspace.gateways for _ in range(10)]
    assert [status for status, _ in await asyncio.gather(*asked)] == [200] * 20
    logs: Any = await management.ask("GET", f"{_ROOT}/sleepy/served-models/sleeper/logs")
    assert logs["logs"].count("llama threadpool init") <= 2
    await management.ask("DELETE", f"{_ROOT}/sleepy")
    for gateway in workspace.gateways:
        assert await until_status(session, gateway, "sleepy", 404) < _CHANGES_ARRIVE_S


async def test_gateways_let_in_equal_parts_of_what_was_provisioned(
    workspace: Workspace, management: Management, session: aiohttp.ClientSession
) -> None:
    model = {"entity_name": "system.ai.minilm_l6_v2", "entity_version": "1"}
    await create(management, "bought", provisioned_model_units=4, **model)
    profiles = f"/api/2.0/openfm/models/{model['entity_name']}/1/throughput-profiles"
    async with asyncio.timeout(100):
        while not (await management.ask("GET", profiles))["profiles"]:  # noqa: ASYNC110  # measures once it is loaded
            await asyncio.sleep(0.2)
    gateway = workspace.gateways[0]
    beside_one = await until_utilisation(session, gateway, "bought", 0.0)
    with gateway_of(workspace.control, valkey_url=workspace.redis_url):
        await until_utilisation(session, gateway, "bought", 1.5 * beside_one)
    await until_utilisation(session, gateway, "bought", beside_one)
    await management.ask("DELETE", f"{_ROOT}/bought")


async def until_utilisation(session: aiohttp.ClientSession, gateway: Server, endpoint: str, wanted: float) -> float:
    """Ask until one request fills that much of the bucket, when it is alone in it; how much that was."""
    body = {"input": ["one two three four five six seven eight nine ten " * 10] * 20}
    headers = {"authorization": f"Bearer {gateway.token}"}
    url = f"{gateway.url}/serving-endpoints/{endpoint}/invocations"
    async with asyncio.timeout(30):
        while True:
            async with session.post(url, json=body, headers=headers) as answer:
                await answer.read()
                share = float(answer.headers["x-openfm-utilization"]) if answer.status == 200 else 0.0
            if share and (not wanted or share == pytest.approx(wanted, rel=0.1)):
                return share
            await asyncio.sleep(2.0)  # what was asked leaks away


async def test_an_external_model_is_called_by_the_gateway_itself(
    workspace: Workspace, management: Management, session: aiohttp.ClientSession
) -> None:
    first, second = workspace.gateways
    config = {"openai_api_base": f"{second.url}/v1", "openai_api_key_plaintext": second.token}
    model = {"provider": "openai", "name": CHAT, "task": "llm/v1/chat", "openai_config": config}
    entity = {"name": "far", "external_model": model}
    await management.ask("POST", _ROOT, {"name": "elsewhere", "config": {"served_entities": [entity]}})
    await management.settled("elsewhere")
    assert await until_status(session, first, "elsewhere", 200) < _CHANGES_ARRIVE_S


async def test_a_killed_gateway_leaves_no_bill_open_and_its_replicas_to_the_others(
    workspace: Workspace, session: aiohttp.ClientSession
) -> None:
    with gateway_of(workspace.control, valkey_url=workspace.redis_url) as doomed:
        reads = [Read() for _ in range(4)]
        asked = {"max_tokens": 300, "temperature": 0}  # by chance an answer is over after a few words
        streams = [asyncio.create_task(read_stream(session, doomed, 10_000, read, **asked)) for read in reads]
        async with asyncio.timeout(60):
            while not all(read.tokens >= 20 for read in reads):  # a real stream
                assert not any(stream.done() for stream in streams), "one ended too early"
                await asyncio.sleep(0.02)
        doomed.process.kill()
        await asyncio.gather(*streams, return_exceptions=True)
    closed = await closed_rows(workspace.control.home, {read.request_id for read in reads})
    for read in reads:
        row = closed[read.request_id]
        assert row.state == LedgerState.ABORTED
        assert row.billed_completion <= read.tokens
    assert (await ask(session, workspace.gateways[0], CHAT))[0] == 200


async def test_gateways_find_a_control_server_that_was_killed_and_started_again(
    workspace: Workspace, session: aiohttp.ClientSession, start_server: StartServer
) -> None:
    workspace.control.process.kill()
    workspace.control.process.wait()
    statuses = {(await ask(session, gateway, CHAT))[0] for gateway in workspace.gateways}
    assert statuses <= {502, 503}
    start_server("--role", "control", home=workspace.control.home, egress_allow="127.0.0.1")
    for gateway in workspace.gateways:
        waited_s = await until_status(session, gateway, CHAT, 200)
        sys.stdout.write(f"\ngateway answered {waited_s:.1f} s after the new control server was ready\n")


def test_a_control_server_and_gateways_that_are_told_to_end_together_end(start_server: StartServer) -> None:
    with running_redis() as redis:
        control = start_server("--role", "control")
        with gateway_of(control, valkey_url=redis.url) as gateway:
            for server in (gateway, control):
                server.process.send_signal(signal.SIGTERM)
            for server in (gateway, control):
                assert server.process.wait(2 * LEASE_S) == 0


@pytest.mark.parametrize(
    ("settings", "said"), [({}, "OPENFM_VALKEY_URL"), ({"valkey_url": "unix:///nowhere"}, "--role control")]
)
def test_a_gateway_that_cannot_work_says_what_is_missing(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    (tmp_path / "home").mkdir()
    if not settings:
        (tmp_path / "home" / "admin-token").write_text("dapi0")
    command = [sys.executable, "-m", "openfm", "serve", "--role", "gateway", "--home", str(tmp_path / "home")]
    ended = subprocess.run(
        command, env=clean_environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert said in ended.stderr
