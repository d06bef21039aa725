"""An endpoint's metrics show what its engines use, also while one ends."""

import os
import subprocess
import sys
import time

from prometheus_client.parser import text_string_to_metric_families

from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServingEndpoint
from openfm.engines.scripted import ScriptedLauncher
from openfm.fleet.replica import Replica
from openfm.server.history import History, Watched
from openfm.server.vitals import EndpointVitals
from openfm.telemetry.endpoint_metrics import EndpointCounters
from tests.unit.fleet.fakes import ENTITY, Clock, around, spec


class Seen(Replica):
    """A replica whose process is what it is told."""

    process: int | None = None

    @property
    def pid(self) -> int | None:
        return self.process


def test_a_replica_that_just_ended_is_left_out_and_forgotten() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    live, gone = (Seen(ScriptedLauncher(), spec(), around(Clock()), lambda: None) for _ in range(2))
    live.process, gone.process = os.getpid(), ended.pid

    def replicas(_: str) -> list[Seen]:
        return [gone, live]

    vitals = EndpointVitals(EndpointCounters(lambda: 0.0), replicas, History(Watched(list, replicas, None, time.time)))
    for _ in range(2):
        assert shown(vitals)["mem_usage_percentage"] > 0
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    gone.process = child.pid
    shown(vitals)
    child.communicate()
    gone.process = None
    shown(vitals)
    assert list(vitals._processes._known) == [os.getpid()]


def shown(vitals: EndpointVitals) -> dict[str, float]:
    config = EndpointConfig(1, (ENTITY,), (Route(ENTITY.name, 100),))
    endpoint = ServingEndpoint("e", "mine", ENTITY.model.task, EndpointType.CUSTOM_MODEL, "ann", 0, 0, config)
    text = vitals.exposition(endpoint).decode()
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
