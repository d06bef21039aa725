"""A budget is never passed: on the real engine, under concurrent load, over `kill -9` and a restart."""

import asyncio
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal

import aiohttp
import pytest
from sqlalchemy import create_engine, func, select

from openfm.store.ledger_tables import ledger
from tests.conftest import CHAT, Server, StartServer
from tests.contract.limits.redis_server import running_redis
from tests.e2e.gateways import gateway_of
from tests.e2e.load import Management

_CLIENTS = 40
_AMOUNT = "0.0012"
_DENIED = 429


async def ask(session: aiohttp.ClientSession, server: Server, until: int | None = None) -> int:
    """A chat request; its status, and 0 where the server died."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 24, "stream": until is None}
    url, headers = f"{server.url}/serving-endpoints/{CHAT}/invocations", {"authorization": f"Bearer {server.token}"}
    try:
        async with session.post(url, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status == _DENIED:
                assert "budget 'month'" in text
                assert "It renews at" in text
                assert answer.headers["x-should-retry"] == "false"
                assert int(answer.headers["retry-after"]) > 0
            return answer.status
    except aiohttp.ClientError:
        return 0


def spent(server: Server) -> Decimal:
    """The sum of the ledger."""
    engine = create_engine(f"sqlite:///{server.home / 'openfm.db'}")
    try:
        with engine.connect() as connection:
            return Decimal(connection.execute(select(func.sum(ledger.c.cost_pico))).scalar_one() or 0) / 10**12
    finally:
        engine.dispose()


async def counted(admin: Management, server: Server) -> Mapping[str, object]:
    """The budget, once all that is in the ledger is counted."""
    async with asyncio.timeout(20):
        while True:
            shown = await admin.ask("GET", "/api/2.0/openfm/budgets/month")
            if Decimal(str(shown["spent"])) == spent(server):
                return shown
            await asyncio.sleep(0.2)


@pytest.mark.timeout(300)
async def test_a_budget_is_never_passed(start_server: StartServer) -> None:
    server = start_server()
    async with aiohttp.ClientSession() as session:
        admin = Management(server, session)
        price = {"endpoint": "*", "currency": "USD", "prompt": "1", "completion": "1"}
        await admin.ask("POST", "/api/2.0/openfm/prices", price)
        body = {"amount": _AMOUNT, "currency": "USD", "alerts": [50, 100]}
        await admin.ask("PUT", "/api/2.0/openfm/budgets/month", body)
        asking = [asyncio.create_task(ask(session, server)) for _ in range(_CLIENTS)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        await asyncio.gather(*asking)
    again = start_server(home=server.home)
    async with aiohttp.ClientSession() as session:
        admin = Management(again, session)
        statuses: list[int] = []
        while _DENIED not in statuses[-_CLIENTS:] or 200 in statuses[-_CLIENTS:]:
            statuses += await asyncio.gather(*(ask(session, again, until=1) for _ in range(_CLIENTS)))
        shown = await counted(admin, again)
    assert {200, _DENIED} == set(statuses)
    assert Decimal(_AMOUNT) * Decimal("0.9") < spent(again) <= Decimal(_AMOUNT)
    assert shown["alerted_percent"] == 50


@pytest.mark.timeout(300)
async def test_gateways_share_a_budget(start_server: StartServer) -> None:
    with running_redis() as redis, ExitStack() as stack:
        control = start_server("--role", "control")
        gateways = [stack.enter_context(gateway_of(control, valkey_url=redis.url)) for _ in range(2)]
        async with aiohttp.ClientSession() as session:
            admin = Management(control, session)
            price = {"endpoint": "*", "currency": "USD", "prompt": "1", "completion": "1"}
            await admin.ask("POST", "/api/2.0/openfm/prices", price)
            await admin.ask("PUT", "/api/2.0/openfm/budgets/month", {"amount": _AMOUNT, "currency": "USD"})
            await asyncio.sleep(2)  # gateways hear of it
            statuses: list[int] = []
            while _DENIED not in statuses[-_CLIENTS:] or 200 in statuses[-_CLIENTS:]:
                asked = (ask(session, gateways[n % 2], until=1) for n in range(_CLIENTS))
                statuses += await asyncio.gather(*asked)
            await counted(admin, control)
            assert {200, _DENIED} == set(statuses)
            assert Decimal(_AMOUNT) * Decimal("0.9") < spent(control) <= Decimal(_AMOUNT)
            await admin.ask("PUT", "/api/2.0/openfm/budgets/month", {"amount": "1", "currency": "USD"})
            await asyncio.sleep(2)
            assert [await ask(session, gateway) for gateway in gateways] == [200, 200]
