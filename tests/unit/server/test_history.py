"""An endpoint's last hour: one sample a step of what runs, bounded, and gone with the endpoint."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from openfm.control.endpoints.ports import SAMPLE_INTERVAL_S, SAMPLES_KEPT, Sample
from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServingEndpoint
from openfm.engines.scripted import ScriptedEngine, ScriptedLauncher
from openfm.fleet.replica import Replica, ReplicaState
from openfm.server.history import History, Watched
from tests.unit.fleet.fakes import ENTITY, Clock, around, is_in, settle, spec

CONFIG = EndpointConfig(1, (ENTITY,), (Route(ENTITY.name, 100),))
MINE = ServingEndpoint("e", "mine", ENTITY.model.task, EndpointType.CUSTOM_MODEL, "ann", 0, 0, CONFIG)


class World:
    """An endpoint with one replica, and what is told of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.endpoints = [MINE]
        self.replicas: list[Replica] = []
        self.started: list[Replica] = []
        self.waiting = 0
        self.history = History(
            Watched(lambda: self.endpoints, lambda _: self.replicas, lambda _: self.waiting, self.clock)
        )

    async def stop(self) -> None:
        for replica in self.started:
            await replica.stop()

    async def start(self) -> ScriptedEngine:
        launcher = ScriptedLauncher()
        replica = Replica(launcher, spec(), around(self.clock), lambda: None)
        self.started.append(replica)
        replica.start()
        await settle(is_in(replica, ReplicaState.READY))
        self.replicas = [replica]
        return launcher.launched[0].engine

    async def step(self) -> list[Sample]:
        self.clock.advance(SAMPLE_INTERVAL_S)
        await self.history.step()
        return list(self.history.of("mine", ENTITY.name, SAMPLES_KEPT))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.stop()


async def test_tokens_are_by_the_second_since_the_sample_before(world: World) -> None:
    engine = await world.start()
    await world.step()
    engine.prompt_tokens_total, engine.completion_tokens_total = 300, 60
    first, second = await world.step()
    assert (first.replicas, first.completion_tokens_per_s) == (1, 0.0)
    assert (second.prompt_tokens_per_s, second.completion_tokens_per_s) == (20.0, 4.0)
    engine.prompt_tokens_total, engine.completion_tokens_total = 5, 1  # it was started again
    assert (await world.step())[-1].prompt_tokens_per_s == 0.0


async def test_who_waits_for_a_start_is_seen_before_anything_runs(world: World) -> None:
    assert await world.step() == []
    world.waiting = 3
    (sample,) = await world.step()
    assert (sample.replicas, sample.requests_waiting) == (0, 3)
    assert (sample.kv_cache_percent, sample.cpu_percent) == (None, None)


async def test_an_engine_that_does_not_answer_leaves_the_others_numbers(world: World) -> None:
    engine = await world.start()
    engine.is_down = True
    world.waiting = 1
    (sample,) = await world.step()
    assert (sample.replicas, sample.requests_waiting) == (1, 1)


async def test_an_hour_is_kept_and_no_more(world: World) -> None:
    await world.start()
    for _ in range(SAMPLES_KEPT):
        await world.step()
    kept = await world.step()
    assert len(kept) == SAMPLES_KEPT
    assert kept[-1].timestamp - kept[0].timestamp == (SAMPLES_KEPT - 1) * SAMPLE_INTERVAL_S * 1000
    assert len(world.history.of("mine", ENTITY.name, 1)) == 1


async def test_an_endpoint_that_is_gone_or_sleeps_for_an_hour_is_forgotten(world: World) -> None:
    await world.start()
    await world.step()
    world.history.forget("mine")
    assert world.history.of("mine", ENTITY.name, 1) == ()
    await world.step()
    world.replicas = []
    world.clock.advance(SAMPLE_INTERVAL_S * SAMPLES_KEPT)
    assert await world.step() == []
    await world.start()
    assert len(await world.step()) == 1
    world.endpoints = []
    assert await world.step() == []


async def test_endpoints_that_share_a_deployment_share_its_numbers(world: World) -> None:
    await world.start()
    world.endpoints = [MINE, replace(MINE, name="alias")]
    world.waiting = 2
    assert await world.step()
    assert world.history.of("alias", ENTITY.name, 1) == world.history.of("mine", ENTITY.name, 1)
