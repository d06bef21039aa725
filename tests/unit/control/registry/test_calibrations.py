"""Calibrations: who asks for them, what is kept, and what it is good for."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from openfm.control.calibrations.profiles import Here, ProfileBook
from openfm.control.calibrations.records import (
    Calibration,
    CalibrationRequest,
    CalibrationState,
    is_tried_again,
)
from openfm.control.calibrations.service import CalibrationOffice, CalibrationService
from openfm.control.registry.setup import Registry
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.scheduling.profile import make_profile
from tests.unit.control.registry.conftest import ADMIN
from tests.unit.scheduling.test_profile import FULL, HARDWARE, MIXES, SETTING

HOUR_MS = 60 * 60 * 1000
MODEL = "system.ai.smollm2_135m_instruct"


@pytest.fixture
def book() -> ProfileBook:
    return ProfileBook(Here(HARDWARE, lambda _: "1.2"))


@pytest.fixture
def service(registry: Registry, book: ProfileBook) -> CalibrationService:
    now = itertools.count(1)
    office = CalibrationOffice(registry.resources.database, registry.servable, book, lambda: next(now))
    return CalibrationService(office)


def made(service: CalibrationService, model: str = MODEL) -> Calibration:
    return service.create(CalibrationRequest(model), ADMIN)


def test_it_waits_its_turn_for_the_newest_version_with_the_tasks_objective(service: CalibrationService) -> None:
    one = made(service)
    assert (one.entity_version, one.state) == ("1", CalibrationState.PENDING)
    assert (one.objective.ttft_ms, one.objective.tpot_ms) == (3000.0, 200.0)
    assert service.next_open() == one


def test_who_asks_for_what_is_being_measured_already_joins_it(service: CalibrationService) -> None:
    one = made(service)
    assert made(service) == one
    service.fail(one, "The engine fell over.")
    assert made(service).id != one.id


@pytest.mark.parametrize("other", [{"seed": 9}, {"objective": {"ttft_ms": 500}}, {"is_provisional": True}])
def test_who_asks_for_something_else_waits_behind_it(service: CalibrationService, other: dict[str, Any]) -> None:
    one, behind = made(service), service.create(CalibrationRequest(MODEL, **other), ADMIN)
    assert behind.id != one.id
    assert service.next_open() == one
    service.fail(one, "The engine fell over.")
    assert service.next_open() == behind


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (CalibrationRequest("main.default.none"), NotFound),
        (CalibrationRequest("nonsense"), InvalidParameterValue),
        (CalibrationRequest(MODEL, "77"), NotFound),
        (CalibrationRequest(MODEL, objective={"ttft_ms": -1}), InvalidParameterValue),
        (CalibrationRequest(MODEL, objective={"speed": 1}), InvalidParameterValue),
        (CalibrationRequest("system.ai.minilm_l6_v2", objective={"tpot_ms": 100}), InvalidParameterValue),
        (CalibrationRequest(MODEL, seed=-1), InvalidParameterValue),
    ],
)
def test_what_cannot_be_measured_is_refused(
    service: CalibrationService, request_: CalibrationRequest, error: type[Exception]
) -> None:
    with pytest.raises(error):
        service.create(request_, ADMIN)
    assert service.next_open() is None


def test_points_of_an_interrupted_try_are_given_back_on_the_same_hardware_only(service: CalibrationService) -> None:
    one = made(service)
    assert list(service.begin(one, "here")) == []
    assert service.note(one.id, 0.4, "Measuring.", MIXES)
    again = service.get(one.id)
    assert (again.state, again.progress) == (CalibrationState.RUNNING, 0.4)
    assert list(service.begin(again, "here")) == [type(p).from_json(p.to_json()) for p in MIXES]
    assert list(service.begin(service.get(one.id), "elsewhere")) == []


def test_one_that_fails_keeps_its_reason_and_nothing_it_measured(
    service: CalibrationService, book: ProfileBook
) -> None:
    one = made(service)
    service.note(one.id, 0.4, "Measuring.", MIXES)
    service.fail(one, "The engine fell over.")
    ended = service.get(one.id)
    assert (ended.state, ended.message, ended.points) == (CalibrationState.FAILED, "The engine fell over.", ())
    assert book.best([one.version_id]) is None


def test_the_profile_sets_the_chunk_that_throughput_is_sold_in(
    service: CalibrationService, book: ProfileBook, registry: Registry
) -> None:
    one = made(service)
    service.succeed(one, FULL)
    assert service.get(one.id).state is CalibrationState.SUCCEEDED
    assert book.throughput(frozenset({one.version_id}), 10**9) == FULL.throughput
    assert book.throughput(frozenset({"another"}), 10**9) == HARDWARE.expected(10**9)
    version = registry.servable.find(MODEL, "1", ADMIN)
    assert version.ids == {one.version_id}
    assert service.profiles_of(MODEL, "1", ADMIN) == [(FULL, None)]


def test_a_profile_is_read_again_after_a_restart(service: CalibrationService, registry: Registry) -> None:
    one = made(service)
    service.succeed(one, FULL)
    later = ProfileBook(Here(HARDWARE, lambda _: "1.2"))
    with registry.resources.database.transaction(later.take_over):
        pass
    assert later.best([one.version_id]) == FULL


@pytest.mark.parametrize(
    ("here", "why"),
    [
        (Here(replace(HARDWARE, cores=64), lambda _: "1.2"), "other hardware"),
        (Here(HARDWARE, lambda _: "9.9"), "Calibrate again"),
    ],
)
def test_on_other_hardware_or_with_another_engine_it_promises_nothing_and_is_listed_with_why(
    service: CalibrationService, registry: Registry, here: Here, why: str
) -> None:
    one = made(service)
    service.succeed(one, FULL)
    later = ProfileBook(here)
    with registry.resources.database.transaction(later.take_over):
        pass
    assert later.best([one.version_id]) is None
    assert later.of_version([one.version_id]) == ()
    assert later.listed([one.version_id]) == (FULL,)
    assert why in (later.warning(FULL) or "")


def test_a_provisional_profile_warns_and_never_takes_the_place_of_a_full_one(
    service: CalibrationService, book: ProfileBook
) -> None:
    quick = make_profile(SETTING, MIXES)
    assert "provisional" in (book.warning(quick) or "")
    one = made(service)
    service.succeed(one, FULL)
    again = made(service)
    service.succeed(again, quick)
    assert book.best([one.version_id]) == FULL
    assert "was not kept" in service.get(again.id).message


def test_a_provisional_profile_takes_the_place_of_a_full_one_that_is_stale(
    service: CalibrationService, book: ProfileBook
) -> None:
    setting = replace(FULL.setting, hardware=replace(HARDWARE, cores=64))
    one, quick = made(service), make_profile(SETTING, MIXES)
    service.succeed(one, replace(FULL, setting=setting))
    assert book.best([one.version_id]) is None
    service.succeed(made(service), quick)
    assert book.listed([one.version_id]) == (quick,)
    assert book.best([one.version_id]) == quick


def test_the_stale_profile_of_another_engine_is_listed_last(service: CalibrationService, book: ProfileBook) -> None:
    engine = replace(FULL.setting.engine, name="onnx", version="0.9")
    stale = replace(FULL, setting=replace(FULL.setting, engine=engine), knee_work_per_s=1e6)
    one, quick = made(service), make_profile(SETTING, MIXES)
    service.succeed(one, stale)
    service.succeed(made(service), quick)
    assert book.listed([one.version_id]) == (quick, stale)


def test_nobody_keeps_a_profile_of_a_calibration_that_was_deleted(
    service: CalibrationService, book: ProfileBook
) -> None:
    one = made(service)
    service.delete(one.id)
    assert not service.note(one.id, 0.5, "Measuring.", MIXES)
    assert not service.is_wanted(one.id)
    service.succeed(one, FULL)
    assert book.best([one.version_id]) is None
    with pytest.raises(NotFound):
        service.delete(one.id)


def test_one_is_due_by_itself_where_nothing_was_measured_here(service: CalibrationService) -> None:
    assert service.is_due(frozenset({"another"}))
    one = made(service)
    ids = frozenset({one.version_id})
    assert not service.is_due(ids)
    service.succeed(one, replace(FULL, setting=replace(SETTING, hardware=replace(HARDWARE, cores=64))))
    assert service.is_due(ids)
    service.succeed(made(service), FULL)
    assert not service.is_due(ids)


@pytest.mark.parametrize(
    ("state", "since_ms", "is_due"),
    [
        (CalibrationState.PENDING, 10 * HOUR_MS, False),
        (CalibrationState.RUNNING, 10 * HOUR_MS, False),
        (CalibrationState.FAILED, HOUR_MS - 1, False),
        (CalibrationState.FAILED, HOUR_MS, True),
        (CalibrationState.SUCCEEDED, 0, True),
        (CalibrationState.CANCELED, 0, True),
    ],
)
def test_after_a_failure_it_is_tried_again_but_not_within_the_hour(
    service: CalibrationService, state: CalibrationState, since_ms: int, *, is_due: bool
) -> None:
    earlier = replace(made(service), state=CalibrationState.FAILED, updated_at=0)
    last = replace(earlier, state=state, updated_at=HOUR_MS)
    assert is_tried_again([last, earlier], HOUR_MS + since_ms) is is_due
    assert is_tried_again([], 0)
