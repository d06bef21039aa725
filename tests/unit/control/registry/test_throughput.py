"""Capacity, plans and reports over HTTP's back: the service that answers them."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy import insert

from openfm.control.calibrations.profiles import Here, ProfileBook
from openfm.control.calibrations.records import CalibrationRequest
from openfm.control.calibrations.service import CalibrationOffice, CalibrationService
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.registry.setup import Registry
from openfm.control.throughput.ports import FleetView, MemoryFit, Room, Tenant
from openfm.control.throughput.service import PlanRequest, ThroughputOffice, ThroughputService
from openfm.core.endpoint import EndpointConfig, EndpointType, EntitySettings, Route, ServedEntity, ServingEndpoint
from openfm.core.errors import EndpointNotFound, InvalidParameterValue, NotFound
from openfm.core.model import Task
from openfm.core.price import Price, PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.principal import PermissionLevel, Principal
from openfm.scheduling.sizing import Shape
from openfm.server.capacity import PromisedCapacity
from openfm.server.promises import measured
from openfm.store.ledger_tables import ledger
from openfm.store.usage_tables import refusals, unit_hours
from tests.unit.control.endpoints.fakes import profile
from tests.unit.control.registry.conftest import ADMIN, OTHER
from tests.unit.scheduling.test_profile import FULL, HARDWARE

MODEL = "system.ai.smollm2_135m_instruct"
CHUNK = FULL.chunk_size
NOW_US = 1_000_000 * 60_000_000
GIB = 1 << 30


@dataclass
class FakePrices:
    found: list[Price] = field(default_factory=list)

    def all(self) -> Sequence[Price]:
        return self.found

    def set(self, request: PriceRequest, caller: Principal) -> Price:
        raise NotImplementedError


class NoGrants:
    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        del caller, endpoint_id
        return None


@dataclass
class Office:
    service: ThroughputService
    prices: FakePrices
    registry: Registry

    def ask(self, minutes_ago: int = 0, principal: str = OTHER.id, status: int = 200, ttft_ms: int = 100) -> None:
        received = NOW_US - minutes_ago * 60_000_000
        texts = ("gateway", "principal_name", "principal_kind", "served_entity", "task", "entity_version")
        zeros = ("reserved_prompt_tokens", "reserved_completion_tokens", "queue_us", "generated_reasoning", "cost_pico")
        billed = ("billed_prompt", "billed_completion", "billed_cached", "billed_reasoning", "config_version")
        first = received + ttft_ms * 1000
        row = {**dict.fromkeys(texts, "x"), **dict.fromkeys((*zeros, *billed), 0)}
        row |= {
            "request_id": f"r{next(NUMBERS)}",
            "principal_id": principal,
            "endpoint_id": "e1",
            "endpoint_name": "support",
            "entity_name": MODEL,
            "tags": {},
            "is_streaming": True,
            "received_us": received,
            "state": "SETTLED",
            "status": status,
            "first_token_us": first,
            "finished_us": first + 1_000_000,
            "generated_prompt": 100,
            "generated_cached": 0,
            "generated_completion": 50,
            "is_estimated": False,
        }
        with self.registry.resources.database.transaction() as connection:
            connection.execute(insert(ledger).values(**row))

    def refuse(self, minutes_ago: int, code: str, requests: int, status: int = 429, principal: str = OTHER.id) -> None:
        texts = ("endpoint_name", "served_entity", "principal_name")
        row: dict[str, object] = dict.fromkeys(texts, "x") | {
            "minute": NOW_US // 60_000_000 - minutes_ago,
            "digest": f"d{next(NUMBERS)}",
            "endpoint_id": "e1",
            "entity_name": MODEL,
            "principal_id": principal,
            "status": status,
            "code": code,
            "requests": requests,
        }
        with self.registry.resources.database.transaction() as connection:
            connection.execute(insert(refusals).values(**row))

    def provision(self, minutes_ago: int, minutes: int, throughput: int | None, units: int) -> None:
        from_s = NOW_US // 1_000_000 - 60 * minutes_ago
        texts = ("principal_id", "principal_name", "endpoint_name", "entity_name")
        row: dict[str, object] = dict.fromkeys(texts, "x") | {
            "deployment_id": "d1",
            "from_s": from_s,
            "to_s": from_s + 60 * minutes,
            "units": units,
            "throughput": throughput,
            "endpoint_id": "e1",
            "tags": {},
            "cost_pico": 0,
            "currency": "DBU",
            "price_version": 0,
        }
        with self.registry.resources.database.transaction() as connection:
            connection.execute(insert(unit_hours).values(**row))


class FakeMemory:
    """A machine with 8 GiB, of which endpoints hold 3; what is to be replaced holds 1 of them."""

    def fit(self, entity_name: str, entity_version: str, beside: str) -> MemoryFit:
        assert entity_name.startswith("system.ai.")
        assert entity_version == "1"
        return MemoryFit(2 * GIB, GIB, 1 << 27, 8, (2 if beside == "support" else 3) * GIB, 8 * GIB)


NUMBERS = itertools.count()


@pytest.fixture
def office(registry: Registry) -> Office:
    database = registry.resources.database
    book = ProfileBook(Here(HARDWARE, lambda _: "1.2"))
    service = CalibrationService(CalibrationOffice(database, registry.servable, book, lambda: 1))
    one = service.create(CalibrationRequest(MODEL), ADMIN)
    service.succeed(one, FULL)
    settings = EntitySettings(max_provisioned_throughput=2 * CHUNK)
    ids = frozenset({one.version_id})
    entity = ServedEntity("s-1", MODEL, "1", profile(MODEL), "d1", settings, ids)
    config = EndpointConfig(1, (entity,), (Route("s-1", 100),))
    endpoint = ServingEndpoint("e1", "support", Task.CHAT, EndpointType.CUSTOM_MODEL, "o", 1, 1, config)
    directory = EndpointDirectory(NoGrants(), [endpoint])
    view = FleetView(
        Room(8 * GIB, 4), Room(3 * GIB, 2), [Tenant("d1", 2, Room(2 * GIB, 2)), Tenant("old", 1, Room(GIB, 0))]
    )
    prices = FakePrices()
    promises = PromisedCapacity(measured(book, lambda *_: HARDWARE.expected(10**9)))
    made = ThroughputOffice(
        database, directory, registry.servable, book, prices, lambda: view, FakeMemory(), promises, lambda: NOW_US
    )
    return Office(ThroughputService(made), prices, registry)


SHAPE = Shape(128, 64)


def plan(rate: float | None = 60, shape: Shape | None = SHAPE, hours: float | None = None) -> PlanRequest:
    return PlanRequest(MODEL, "1", rate, shape, hours)


def test_capacity_is_what_there_is_what_is_taken_and_what_is_promised(office: Office) -> None:
    found = office.service.capacity()
    assert (found["left"]["memory_bytes"], found["left"]["cores"]) == (5 * GIB, 2)
    held = 2 * CHUNK / FULL.knee_work_per_s
    assert found["taken"]["throughput_share"] == pytest.approx(held, abs=1e-3)
    assert found["left"]["throughput_share"] == pytest.approx(1 - held, abs=1e-3)
    ours, leaving = found["deployments"]
    assert (ours["endpoint"], ours["promised_throughput"]) == ("support", 2 * CHUNK)
    assert ours["measured_throughput"] == pytest.approx(2 * FULL.knee_work_per_s, abs=0.1)
    assert ours["left_throughput"] == 2 * CHUNK
    assert leaving["endpoint"] is None


def test_an_estimate_is_the_memory_of_a_replica_beside_what_others_hold(office: Office) -> None:
    found = office.service.estimate(MODEL, "1", "", OTHER)["memory"]
    assert found["replica_bytes"] == found["weight_bytes"] + found["kv_cache_bytes"] + found["overhead_bytes"]
    assert (found["left_bytes"], found["total_bytes"]) == (5 * GIB, 8 * GIB)
    assert office.service.estimate(MODEL, "1", "support", OTHER)["memory"]["left_bytes"] == 6 * GIB


def test_an_estimate_says_what_may_still_be_promised_also_of_what_nobody_measured(office: Office) -> None:
    name = "system.ai.minilm_l6_v2"
    throughput = office.registry.servable.throughput(office.registry.servable.find(name, "1", OTHER))
    beside, alone = (office.service.estimate(name, "1", one, OTHER) for one in ("", "support"))
    left = throughput.chunks(1 - 2 * CHUNK / FULL.knee_work_per_s)
    assert beside["throughput"] is None
    assert beside["left_throughput"] == left * throughput.chunk < alone["left_throughput"]
    assert alone["left_throughput"] == throughput.chunks() * throughput.chunk


def test_an_estimate_says_what_a_chunk_of_throughput_does_as_it_was_measured(office: Office) -> None:
    found = office.service.estimate(MODEL, "1", "", OTHER)["throughput"]
    assert found["throughput_chunk_size"] == FULL.chunk_size
    assert (found["prompt_tokens"], found["completion_tokens"]) == FULL.setting.shape
    assert found["work_per_request"] == pytest.approx(FULL.knee_work_per_s / FULL.knee_requests_per_s, abs=0.01)


def test_a_plan_says_what_to_provision_and_what_it_costs(office: Office) -> None:
    amounts = {PriceUnit.MODEL_UNIT_HOUR: 1_500_000}
    office.prices.found.append(Price(1, Target(TargetKind.ENTITY, MODEL), "EUR", amounts, 0, 0, "admin"))
    found = office.service.plan(plan(), OTHER)
    units = math.ceil(found["work_per_s"] / CHUNK)
    assert (found["units"], found["max_provisioned_throughput"]) == (units, units * CHUNK)
    assert found["price_per_hour"]["currency"] == "EUR"
    assert float(found["price_per_hour"]["amount"]) == 1.5 * units
    assert found["warning"] is None


def test_a_plan_says_how_many_replicas_it_takes_and_whether_this_machine_has_them(office: Office) -> None:
    small, beside, large = (office.service.plan(plan(rate), OTHER) for rate in (1, 20, 600))
    assert (small["units"], small["replicas"], small["shortage"]) == (1, 1, None)
    assert (small["machine_throughput"], small["left_throughput"]) == (4 * CHUNK, 2 * CHUNK)
    assert (beside["units"], beside["replicas"]) == (3, 1)
    assert beside["shortage"] == (
        f"Of {4 * CHUNK} tokens/s that this machine can be promised of the model, {2 * CHUNK} are left beside others."
    )
    assert large["replicas"] == math.ceil(large["max_provisioned_throughput"] / FULL.knee_work_per_s)
    assert large["shortage"].startswith(
        f"This machine can be promised {4 * CHUNK} tokens/s of the model; the load needs "
    )


def test_without_a_price_the_plan_says_none(office: Office) -> None:
    assert office.service.plan(plan(), OTHER)["price_per_hour"] is None


def test_a_plan_by_the_ledger_takes_ones_own_busiest_minute(office: Office) -> None:
    for _ in range(60):
        office.ask(minutes_ago=10, principal=OTHER.id)
    for _ in range(120):
        office.ask(minutes_ago=20, principal="somebody")
    own = office.service.plan(plan(None, None, hours=1), OTHER)
    everybodys = office.service.plan(plan(None, None, hours=1), ADMIN)
    assert everybodys["work_per_s"] == pytest.approx(2 * own["work_per_s"], rel=0.01)
    assert "60 requests of the last 1 hours (0 of them refused then)" in own["basis"]


def test_a_plan_by_the_ledger_counts_what_was_refused_for_want_of_throughput(office: Office) -> None:
    for _ in range(20):
        office.ask(minutes_ago=10)
    before = office.service.plan(plan(None, None, hours=1), OTHER)
    office.refuse(minutes_ago=10, code="insufficient_quota", requests=500)
    assert office.service.plan(plan(None, None, hours=1), OTHER) == before
    office.refuse(minutes_ago=10, code="provisioned_throughput_exceeded", requests=180)
    office.refuse(minutes_ago=10, code="overloaded", requests=999, principal="somebody")
    after = office.service.plan(plan(None, None, hours=1), OTHER)
    assert after["work_per_s"] == pytest.approx(10 * before["work_per_s"], rel=0.01)
    assert after["units"] > before["units"]
    assert "200 requests of the last 1 hours (180 of them refused then)" in after["basis"]


@pytest.mark.parametrize(
    "wanted",
    [
        plan(None),
        plan(shape=None),
        plan(rate=-1),
        plan(rate=float("nan")),
        plan(shape=Shape(10, 5, cached=11)),
        plan(shape=Shape(40_000, 64)),
        plan(None, None, hours=0),
        plan(60, None, hours=1),
        plan(None, SHAPE, hours=1),
        plan(None, None, hours=1e9),
        PlanRequest("system.ai.minilm_l6_v2", "1", 60, Shape(128, 64), None),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(office: Office, wanted: PlanRequest) -> None:
    with pytest.raises(InvalidParameterValue):
        office.service.plan(wanted, OTHER)


def test_an_empty_ledger_has_no_busiest_minute(office: Office) -> None:
    with pytest.raises(NotFound, match="no answered request"):
        office.service.plan(plan(None, None, hours=1), OTHER)


def test_a_report_counts_the_minutes_in_breach_and_says_why(office: Office) -> None:
    office.ask(minutes_ago=2)
    office.ask(minutes_ago=1, ttft_ms=4000)
    office.ask(minutes_ago=90)
    found = office.service.report("support", 60, ADMIN)
    assert (found["minutes_with_requests"], found["minutes_in_breach"]) == (2, 1)
    assert found["promised_throughput"] == 2 * CHUNK
    assert found["minutes"][1]["breaches"] == ["TTFT p95 was 4000 ms, above 3000 ms"]


def test_a_report_counts_what_was_refused_before_it_was_dispatched(office: Office) -> None:
    office.ask(minutes_ago=1)
    office.refuse(minutes_ago=1, code="provisioned_throughput_exceeded", requests=14)
    office.refuse(minutes_ago=1, code="insufficient_quota", requests=2)
    office.refuse(minutes_ago=1, code="context_length_exceeded", requests=3, status=400)
    (minute,) = office.service.report("support", 60, ADMIN)["minutes"]
    assert (minute["requests"], minute["refused"]) == (17, 16)
    (breach,) = minute["breaches"]
    assert breach.startswith("14 requests were refused (provisioned_throughput_exceeded 14) while ")


def test_a_report_judges_each_minute_by_what_was_provisioned_then(office: Office) -> None:
    office.provision(minutes_ago=30, minutes=10, throughput=7, units=1)
    office.provision(minutes_ago=20, minutes=10, throughput=None, units=3)
    for minutes_ago in (40, 25, 15, 5):
        office.refuse(minutes_ago, "overloaded", 1, status=503)
    found = office.service.report("support", 60, ADMIN)
    promised = [minute["promised_throughput"] for minute in found["minutes"]]
    assert promised == [0, 7, 3 * FULL.chunk_size, 2 * FULL.chunk_size]
    assert [len(minute["breaches"]) for minute in found["minutes"]] == [0, 1, 1, 1]


def test_a_report_is_for_those_who_may_see_the_endpoint(office: Office) -> None:
    with pytest.raises(EndpointNotFound):
        office.service.report("support", 60, OTHER)
    with pytest.raises(InvalidParameterValue):
        office.service.report("support", 0, ADMIN)
