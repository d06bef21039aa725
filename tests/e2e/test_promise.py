"""Provisioned throughput on the real engine: what is promised is delivered, and who is above it is told when to come.

The promise is a small part of what any machine does, so that it can be kept on one that others use too.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from sqlalchemy import insert, select

from openfm.server.here import engine_version, this_hardware
from openfm.store.calibration_tables import throughput_profiles
from openfm.store.database import Database
from openfm.store.registry_tables import model_versions
from tests.conftest import CHAT, Server, StartServer
from tests.e2e.load import Load, Management
from tests.e2e.test_scaling import existing, say
from tests.unit.scheduling.test_profile import FULL

_UNIT = 8
_VERSION = {"entity_name": "system.ai.smollm2_135m_instruct", "entity_version": "1"}
_BOUGHT: dict[str, object] = {**_VERSION, "min_provisioned_throughput": _UNIT, "max_provisioned_throughput": _UNIT}
_DRIVEN_S = 25.0
_CALLERS = 6
_LIMIT_S = 60


@dataclass(slots=True)
class Told:
    """What callers were told: answers, refusals, and of those that came back when they were told to, who was let in."""

    answered: int = 0
    refused: int = 0
    came_back: int = 0
    let_in: int = 0


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Server:
    first = start_server()
    first.end()
    promise_little(Database(f"sqlite:///{first.home / 'openfm.db'}"))
    return start_server(home=first.home)


@pytest.fixture
async def management(own: Server) -> AsyncIterator[Management]:
    async with aiohttp.ClientSession() as session:
        yield Management(own, session)


def promise_little(database: Database) -> None:
    """The default model has a profile of this machine, with a small unit."""
    engine = replace(FULL.setting.engine, version=engine_version(FULL.setting.engine.name))
    setting = replace(FULL.setting, hardware=this_hardware(), engine=engine)
    profile = replace(FULL, setting=setting, knee_work_per_s=float(_UNIT))
    with database.transaction() as connection:
        found = select(model_versions.c.id).where(model_versions.c.full_name == _VERSION["entity_name"])
        values = {"engine": engine.name, "is_provisional": False, "profile": profile.to_json(), "created_at": 0}
        connection.execute(
            insert(throughput_profiles).values(version_id=connection.execute(found).scalar_one(), **values)
        )
    database.close()


async def driven(server: Server, endpoint: str) -> Told:
    """Callers who always want more, for a while; whoever is refused comes back when he was told to."""
    told, ends_s = Told(), time.monotonic() + _DRIVEN_S
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {server.token}"}) as session:
        url = f"{server.url}/serving-endpoints/{endpoint}/invocations"
        await asyncio.gather(*(caller(session, url, number, told, ends_s) for number in range(_CALLERS)))
    return told


async def caller(session: aiohttp.ClientSession, url: str, number: int, told: Told, ends_s: float) -> None:
    body = {"messages": [{"role": "user", "content": "Count to ten."}], "max_tokens": 4, "seed": number}
    is_back = False
    while time.monotonic() < ends_s:
        async with session.post(url, json=body) as answer:
            assert answer.status in {200, 429}, await answer.text()
            await answer.read()
            wait_s = int(answer.headers.get("retry-after-ms", 0)) / 1000
        told.answered += answer.status == 200
        told.refused += answer.status == 429
        told.came_back += is_back
        told.let_in += is_back and answer.status == 200
        is_back = answer.status == 429
        await asyncio.sleep(min(wait_s, max(0.0, ends_s - time.monotonic())))


async def reported(management: Management, name: str, told: Told) -> tuple[float, list[Any]]:
    """The work that was delivered, in tokens' worth, and the minutes; once the report has all of it."""
    async with asyncio.timeout(_LIMIT_S):
        while True:
            found: Any = await management.ask("GET", f"/api/2.0/openfm/endpoints/{name}/report?minutes=10")
            minutes = found["minutes"]
            if sum(minute["requests"] for minute in minutes) >= told.answered + told.refused:
                return sum(minute["delivered_throughput"] for minute in minutes) * 60, minutes
            await asyncio.sleep(0.5)


@pytest.mark.slow
async def test_above_its_maximum_the_promise_is_delivered_and_the_rest_is_told_when_to_come(
    own: Server, management: Management
) -> None:
    async with existing(management, "bounded", _BOUGHT):
        told = await driven(own, "bounded")
        delivered, minutes = await reported(management, "bounded", told)
    say(f"{told}; {delivered:.0f} delivered of {_UNIT * _DRIVEN_S:.0f} promised")
    assert told.refused > 0
    assert sum(minute["refused"] for minute in minutes) == told.refused
    assert told.let_in >= 0.8 * told.came_back > 0
    assert delivered >= 0.8 * _UNIT * _DRIVEN_S


@pytest.mark.slow
async def test_pay_per_token_load_does_not_push_an_endpoint_below_its_minimum(
    own: Server, management: Management
) -> None:
    async with existing(management, "kept", _BOUGHT), Load(own, CHAT, clients=8, max_tokens=64) as others:
        await others.until(1)
        told = await driven(own, "kept")
        delivered, _ = await reported(management, "kept", told)
        await others.until(1)
    say(f"{told}; {delivered:.0f} delivered of {_UNIT * _DRIVEN_S:.0f} promised beside {others.outcome.whole} others")
    assert delivered >= 0.8 * _UNIT * _DRIVEN_S
    assert others.outcome.cut == []
