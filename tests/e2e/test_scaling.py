"""Replicas come and go with what is asked of them, on the real engine; nobody is failed who was not told why."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.conftest import CHAT, Server, StartServer
from tests.e2e.load import Load, Management

_ROOT = "/api/2.0/serving-endpoints"
_CALIBRATIONS = "/api/2.0/openfm/calibrations"
_LIMIT_S = 120
_UNITS_A_REPLICA = 4
_DECLARED = ("429 ", "503 ")


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Server:
    return start_server(
        scale_up_after_s="2", scale_down_after_s="6", scale_to_zero_after_s="2", cold_start_deadline_s="100"
    )


@pytest.fixture
async def management(own: Server) -> AsyncIterator[Management]:
    async with aiohttp.ClientSession() as session:
        yield Management(own, session)


def say(line: str) -> None:
    sys.stdout.write(f"\n{line}\n")


async def calibrated(management: Management) -> tuple[dict[str, object], int]:
    """The default model's version, and its unit: tokens' worth a second, by a quick calibration."""
    shared: Any = await management.ask("GET", f"{_ROOT}/{CHAT}")
    entity = shared["config"]["served_entities"][0]
    version = {key: entity[key] for key in ("entity_name", "entity_version")}
    profiles = f"/api/2.0/openfm/models/{version['entity_name']}/{version['entity_version']}/throughput-profiles"
    if not (await management.ask("GET", profiles))["profiles"]:
        made: Any = await management.ask("POST", _CALIBRATIONS, version | {"is_provisional": True})
        async with asyncio.timeout(_LIMIT_S):
            while (await management.ask("GET", f"{_CALIBRATIONS}/{made['id']}"))["state"] != "SUCCEEDED":  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    info = f"{_ROOT}/get-model-optimization-info/{version['entity_name']}/{version['entity_version']}"
    found: Any = await management.ask("GET", info)
    return version, int(found["throughput_chunk_size"])


@asynccontextmanager
async def existing(management: Management, name: str, entity: dict[str, object]) -> AsyncIterator[None]:
    """An endpoint that answers, and is gone afterwards."""
    config = {"served_entities": [entity | {"burst_scaling_enabled": False}]}
    await management.ask("POST", _ROOT, {"name": name, "config": config})
    try:
        await management.settled(name)
        yield
    finally:
        await management.ask("DELETE", f"{_ROOT}/{name}")


async def replicas(management: Management, name: str, wanted: int) -> float:
    """Wait until the endpoint has so many, each answering; how long that took, in seconds."""
    began = time.monotonic()
    async with asyncio.timeout(_LIMIT_S):
        while True:
            capacity: Any = await management.ask("GET", "/api/2.0/openfm/capacity")
            if sum(one["replicas"] for one in capacity["deployments"] if one["endpoint"] == name) == wanted:
                return time.monotonic() - began
            await asyncio.sleep(0.1)


async def told(management: Management, name: str) -> list[str]:
    """The kinds of the endpoint's events, the oldest first."""
    found: Any = await management.ask("GET", f"{_ROOT}/{name}/events")
    return [event["type"] for event in reversed(found["events"])]


def undeclared(load: Load) -> list[str]:
    """What failed otherwise than by a refusal that says when to come back."""
    return load.outcome.cut + [text for text in load.outcome.failed if not text.startswith(_DECLARED)]


@pytest.mark.slow
async def test_from_one_replica_to_two_and_back_under_load(own: Server, management: Management) -> None:
    version, unit = await calibrated(management)
    throughput = {"min_provisioned_throughput": unit, "max_provisioned_throughput": _UNITS_A_REPLICA * unit}
    async with existing(management, "growing", version | throughput | {"workload_size": "Medium"}):
        await replicas(management, "growing", 1)
        async with Load(own, "growing", clients=8, max_tokens=24) as load:
            await load.until(8)
            up_s = await replicas(management, "growing", 2)
            await load.until(16)
        async with Load(own, "growing", clients=1, max_tokens=4, pause_s=3.0) as light:
            down_s = await replicas(management, "growing", 1)
            await light.until(2)
        events = await told(management, "growing")
    assert undeclared(load) == undeclared(light) == []
    say(
        f"1 -> 2 after {up_s:.1f} s, 2 -> 1 after {down_s:.1f} s; {load.outcome.whole + light.outcome.whole} whole, "
        f"{len(load.outcome.failed) + len(light.outcome.failed)} told to come back, 0 failed"
    )
    assert events[-2:] == ["SCALED_UP", "SCALED_DOWN"]


@pytest.mark.slow
async def test_line_82_from_one_replica_to_none_and_back_under_load(own: Server, management: Management) -> None:
    version, unit = await calibrated(management)
    throughput = {"min_provisioned_throughput": 0, "max_provisioned_throughput": _UNITS_A_REPLICA * unit}
    async with existing(management, "sleepy", version | throughput):
        async with Load(own, "sleepy", clients=2, max_tokens=12) as load:
            await load.until(4)
        down_s = await replicas(management, "sleepy", 0)
        began = time.monotonic()
        async with Load(own, "sleepy", clients=4, max_tokens=12) as again:
            await again.until(1)
            first_s = time.monotonic() - began
            await again.until(8)
        events = await told(management, "sleepy")
    assert undeclared(load) == undeclared(again) == []
    say(
        f"1 -> 0 after {down_s:.1f} s, 0 -> 1: first answer after {first_s:.1f} s; "
        f"{load.outcome.whole + again.outcome.whole} whole, "
        f"{len(load.outcome.failed) + len(again.outcome.failed)} told to come back, 0 failed"
    )
    assert {"SCALED_TO_ZERO", "COLD_START"} <= set(events)
