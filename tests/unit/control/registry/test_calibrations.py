"""Calibrations: who asks for them, what is kept, and what it is good for."""

import itertools
from dataclasses import replace

import pytest

from openfm.control.calibrations.profiles import Here, ProfileBook
from openfm.control.calibrations.records import Calibration, CalibrationRequest, CalibrationState
from openfm.control.calibrations.service import CalibrationOffice, CalibrationService
from openfm.control.registry.setup import Registry
from openfm.core.errors import Conflict, InvalidParameterValue, NotFound
from openfm.scheduling.profile import make_profile
from tests.unit.control.registry.conftest import ADMIN
from tests.unit.scheduling.test_profile import FULL, HARDWARE, MIXES, SETTING

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


def test_a_version_is_calibrated_once_at_a_time(service: CalibrationService) -> None:
    one = made(service)
    with pytest.raises(Conflict, match=one.id):
        made(service)
    service.fail(one, "The engine fell over.")
    assert made(service).id != one.id


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


def test_other_hardware_or_another_engine_is_warned_of(service: CalibrationService) -> None:
    service.succeed(made(service), FULL)
    elsewhere = ProfileBook(Here(replace(HARDWARE, cores=64), lambda _: "1.2"))
    assert "other hardware" in (elsewhere.warning(FULL) or "")
    newer = ProfileBook(Here(HARDWARE, lambda _: "9.9"))
    assert "Calibrate again" in (newer.warning(FULL) or "")


def test_a_provisional_profile_warns_and_never_takes_the_place_of_a_full_one(
    service: CalibrationService, book: ProfileBook
) -> None:
    quick = make_profile(SETTING, MIXES)
    assert "provisional" in (book.warning(quick) or "")
    one = made(service)
    service.succeed(one, FULL)
    service.succeed(made(service), quick)
    assert book.best([one.version_id]) == FULL


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


def test_none_is_begun_by_itself_where_one_was_tried(service: CalibrationService) -> None:
    one = made(service)
    assert service.has_any(frozenset({one.version_id}))
    assert not service.has_any(frozenset({"another"}))
