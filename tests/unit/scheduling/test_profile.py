"""The throughput profile of a model version."""

import json
from dataclasses import replace

import pytest

from openfm.core.errors import InvalidParameterValue
from openfm.core.objective import Objective
from openfm.scheduling.calibration import CannotFit
from openfm.scheduling.points import Point
from openfm.scheduling.profile import EngineIdentity, Hardware, Setting, ThroughputProfile, make_profile

HARDWARE = Hardware("A processor", 2, 24 << 30)
SETTING = Setting(
    engine=EngineIdentity("llama_cpp", "1.2", slots=4, threads=2),
    hardware=HARDWARE,
    objective=Objective(ttft_ms=3000, tpot_ms=200),
    seed=7,
    shape=(128, 64),
    load_s=2.5,
    memory_bytes=1 << 30,
    measured_at=1_700_000_000_000,
)


def mix(prompt: float, cached: float, completion: float) -> Point:
    seconds = 0.004 * prompt + 0.0004 * cached + 0.01 * completion
    return Point("mix", f"{prompt}", 4, seconds, prompt, cached, completion, 9)


def probe(rate: float, *, is_met: bool) -> Point:
    return Point("knee", f"{rate}", 0, 20.0, 1, 0, 1, 20, rate=rate, is_objective_met=is_met)


MIXES = [mix(256, 0, 16), mix(64, 0, 96), mix(64, 192, 32)]
BATCHES = [Point("prefill", "p", 2, 2.0, 500, 0, 2, 4), Point("decode", "d", 2, 4.0, 16, 0, 480, 4)]
FULL = make_profile(SETTING, [*BATCHES, *MIXES, probe(0.6, is_met=True), probe(0.9, is_met=False)])


def test_the_knee_is_the_highest_rate_that_met_the_objective() -> None:
    assert FULL.knee_requests_per_s == 0.6
    assert FULL.knee_work_per_s == pytest.approx(0.6 * (0.4 * 128 + 64), rel=1e-3)
    assert not FULL.is_provisional
    assert (FULL.prefill[0].tokens_per_s, FULL.decode[0].tokens_per_s) == (250.0, 120.0)


def test_without_probes_half_of_what_is_possible_is_promised_provisionally() -> None:
    quick = make_profile(SETTING, MIXES)
    assert quick.is_provisional
    assert quick.knee_work_per_s == pytest.approx(quick.saturated_work_per_s / 2, rel=1e-3)


def test_without_a_rate_that_met_the_objective_there_is_no_profile() -> None:
    with pytest.raises(CannotFit):
        make_profile(SETTING, [*MIXES, probe(0.1, is_met=False)])


def test_what_a_replica_can_be_promised_is_its_knee_not_what_saturates_it() -> None:
    assert FULL.throughput.replica == FULL.knee_work_per_s < FULL.saturated_work_per_s
    assert FULL.throughput.is_measured


def test_what_is_expected_of_a_model_nobody_measured_is_of_this_machine() -> None:
    assert 40 < HARDWARE.expected(134_515_008).replica < 140  # what SmolLM2-135M was measured at on two cores
    assert HARDWARE.expected(134_515_008).side_by_side == 1
    assert not HARDWARE.expected(134_515_008).is_measured
    larger, server = replace(HARDWARE, cores=16), replace(HARDWARE, gpus=("a GPU", "a GPU"))
    assert (larger.expected(10**9).replica, larger.expected(10**9).side_by_side) == (20, 3)
    assert (server.expected(8 * 10**9).replica, server.expected(8 * 10**9).side_by_side) == (125, 2)


def test_it_survives_json() -> None:
    assert ThroughputProfile.from_json(json.loads(json.dumps(FULL.to_json()))) == FULL


def test_one_that_was_changed_by_hand_is_refused() -> None:
    written = FULL.to_json()
    with pytest.raises(InvalidParameterValue, match="digest"):
        ThroughputProfile.from_json({**written, "knee_work_per_s": 1e9})


def test_it_is_stale_on_other_hardware_and_with_another_engine() -> None:
    assert FULL.staleness(HARDWARE, "1.2") is None
    assert "other hardware" in (FULL.staleness(replace(HARDWARE, cores=4), "1.2") or "")
    assert "with llama_cpp 1.2" in (FULL.staleness(HARDWARE, "1.3") or "")


def test_some_megabytes_that_the_kernel_keeps_make_no_other_machine() -> None:
    assert replace(HARDWARE, memory_bytes=HARDWARE.memory_bytes - 4096).fingerprint == HARDWARE.fingerprint


@pytest.mark.parametrize(
    ("cores", "threads", "gpus", "side_by_side"),
    [(2, 2, (), 1), (16, 16, (), 1), (16, 4, (), 3), (4, 1, (), 3), (16, 4, ("a GPU", "a GPU"), 2), (8, 0, (), 1)],
)
def test_the_machine_does_what_all_replicas_do_that_it_runs_at_once(
    cores: int, threads: int, gpus: tuple[str, ...], side_by_side: int
) -> None:
    engine = replace(SETTING.engine, threads=threads)
    setting = replace(SETTING, engine=engine, hardware=replace(HARDWARE, cores=cores, gpus=gpus))
    throughput = replace(FULL, setting=setting).throughput
    assert throughput.side_by_side == side_by_side
    assert throughput.machine == side_by_side * FULL.knee_work_per_s
