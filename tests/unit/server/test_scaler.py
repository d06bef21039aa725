from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from openfm.core.endpoint import EntitySettings, ServedEntity, WorkloadSize
from openfm.core.event import EventKind
from openfm.core.model import ModelProfile, Task
from openfm.scheduling.work import PROVISIONAL_WEIGHTS, Throughput
from openfm.server.promises import Promises
from openfm.server.scaler import Scaler

MODEL = ModelProfile("m", "m", "M", "", "", Task.CHAT, context_length=100)
SETTINGS = EntitySettings(
    workload_size=WorkloadSize.MEDIUM, min_provisioned_throughput=100, max_provisioned_throughput=200
)
ENTITY = ServedEntity("e", "system.ai.m", "1", MODEL, "d", SETTINGS)
PER_TOKEN = replace(ENTITY, settings=EntitySettings(workload_size=WorkloadSize.LARGE), deployment_id="p")


class Load:
    """A scaler of replicas that are each promised 100 a second, on two cores; time and load are told."""

    def __init__(self) -> None:
        self.now = self.asked = 0.0
        self.scaler = Scaler(lambda: self.now)
        self.scaler.connect(Promises(lambda _: Throughput(PROVISIONAL_WEIGHTS, 100.0)), lambda _: self.asked)

    def hold(self, asked: float, seconds: float) -> list[int]:
        self.asked, counts = asked, []
        for _ in range(int(seconds / 5)):
            counts.append(self.scaler.replicas(ENTITY))
            self.now += 5
        return counts


def test_from_one_to_two_and_back_each_with_its_reason() -> None:
    load = Load()
    with capture_logs() as logs:
        assert load.hold(50, 60) == [1] * 12
        assert load.hold(150, 60)[-1] == 2
        assert load.hold(30, 280)[-1] == 2
        assert load.hold(30, 60)[-1] == 1
    assert [(one["event"], one["replicas_before"], one["replicas"]) for one in logs] == [
        ("fleet.scaled", 1, 2),
        ("fleet.scaled", 2, 1),
    ]
    assert all(one["reason"] for one in logs)


def test_no_more_than_the_most_however_much_is_asked() -> None:
    assert set(Load().hold(10_000, 100)) == {1, 2}


def test_pay_per_token_has_what_its_size_says_and_so_has_everybody_before_it_is_connected() -> None:
    assert Load().scaler.replicas(PER_TOKEN) == 4
    assert Scaler().replicas(ENTITY) == 2


def test_where_others_count_what_is_asked_everybody_has_the_most() -> None:
    scaler = Scaler()
    scaler.connect(Promises(lambda _: Throughput(PROVISIONAL_WEIGHTS, 100.0)), None)
    assert scaler.replicas(replace(ENTITY, deployment_id="other")) == 2


def test_who_was_asleep_begins_with_the_fewest() -> None:
    load = Load()
    load.hold(150, 60)
    load.scaler.forget_all_but(frozenset())
    assert load.hold(0, 5) == [1]


def test_whether_it_sleeps_is_not_the_scalers_to_say() -> None:
    settings = EntitySettings(max_provisioned_throughput=100, scale_to_zero_enabled=True)
    load = Load()
    load.scaler.tell_to(lambda *_: pytest.fail("nothing changed"))
    assert {load.scaler.replicas(replace(ENTITY, settings=settings)) for _ in range(3)} == {1}


def test_what_changes_is_told_with_its_reason() -> None:
    load, told = Load(), list[tuple[str, EventKind, str]]()
    load.scaler.tell_to(lambda *what: told.append(what))
    load.hold(50, 20)
    load.hold(150, 60)
    (up,) = told
    assert up[:2] == ("d", EventKind.SCALED_UP)
    assert up[2].startswith("1 to 2 replicas: ")


def test_who_falls_asleep_and_who_is_woken_is_told_but_not_what_was_found_at_the_start() -> None:
    scaler, told = Scaler(), list[tuple[str, EventKind]]()
    scaler.tell_to(lambda deployment, kind, _: told.append((deployment, kind)))
    scaler.seen(frozenset({"a"}), frozenset({"b"}))
    scaler.seen(frozenset({"a", "b"}), frozenset())
    scaler.seen(frozenset({"a"}), frozenset({"b"}))
    scaler.seen(frozenset({"a"}), frozenset({"b"}))
    assert told == [("b", EventKind.SCALED_TO_ZERO), ("b", EventKind.COLD_START)]
