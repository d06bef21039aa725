"""The throughput profile of a model version: what one replica of it can do on this hardware, as measured."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from openfm.core.errors import InvalidParameterValue
from openfm.core.objective import Objective
from openfm.core.throughput import cores_of_one, expected_per_s, side_by_side
from openfm.scheduling.calibration import CannotFit, Fit, SaturatedPoint, fit_cost, work_of
from openfm.scheduling.points import Point
from openfm.scheduling.work import PROVISIONAL_WEIGHTS, CostWeights, Throughput

_PROVISIONAL_SHARE = 0.5
"""Of what a saturated replica does: where the knee was not looked for, half of it is promised."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What measurements depend on: two machines with the same fingerprint are taken to be as fast as one another."""

    processor: str
    cores: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Memory counts in GiB: what the kernel keeps for itself varies."""
        told = [self.processor, self.cores, round(self.memory_bytes / 2**30), list(self.gpus)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def expected(self, parameters: int) -> Throughput:
        """What a model of so many parameters can be promised here before anybody measured it."""
        cores, gpus = cores_of_one(self.cores), len(self.gpus)
        replica = expected_per_s(parameters, cores, gpus)
        return Throughput(PROVISIONAL_WEIGHTS, replica, side_by_side(self.cores, cores, gpus))

    def __str__(self) -> str:
        """For people."""
        gpus = f", {', '.join(self.gpus)}" if self.gpus else ""
        return f"{self.processor}, {self.cores} cores, {self.memory_bytes / 2**30:.0f} GiB{gpus}"


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """Which engine was measured, and how it was started."""

    name: str
    version: str
    slots: int
    threads: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What was measured where. `shape` are the prompt and completion tokens the knee is about; times in seconds."""

    engine: EngineIdentity
    hardware: Hardware
    objective: Objective
    seed: int
    shape: tuple[int, int]
    load_s: float
    memory_bytes: int
    measured_at: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second with so many sequences at once."""

    batch: int
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class ThroughputProfile:
    """One replica's throughput, in work a second: completion tokens' worth (`CostWeights`).

    `saturated_work_per_s` is what it does at most, `knee_work_per_s` the most at which it met the objective.
    `knee_requests_per_s` is the same in requests of `setting.shape`. Where `is_provisional`, the knee is an estimate.
    `fit_error` is `Fit.typical_error`.
    """

    setting: Setting
    weights: CostWeights
    saturated_work_per_s: float
    knee_work_per_s: float
    knee_requests_per_s: float
    fit_error: float | None
    prefill: tuple[Rate, ...]
    decode: tuple[Rate, ...]
    points: tuple[Point, ...]
    is_provisional: bool

    @property
    def throughput(self) -> Throughput:
        """What can be promised by it: the knee is what one replica keeps its objective at."""
        hardware = self.setting.hardware
        abreast = side_by_side(hardware.cores, self.setting.engine.threads, len(hardware.gpus))
        return Throughput(self.weights, self.knee_work_per_s, abreast, is_measured=True)

    @property
    def chunk_size(self) -> int:
        """Tokens a second, in completion tokens' worth, that throughput is provisioned in multiples of."""
        return self.throughput.chunk

    def staleness(self, hardware: Hardware, engine_version: str) -> str | None:
        """Why the figures may no longer be true here, as a sentence; None where nothing changed."""
        measured = self.setting
        if hardware.fingerprint != measured.hardware.fingerprint:
            return f"It was measured on other hardware ({measured.hardware}), this is {hardware}. Calibrate again."
        if engine_version != measured.engine.version:
            return (
                f"It was measured with {measured.engine.name} {measured.engine.version}, this is {engine_version}. "
                "Calibrate again."
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the digest over all others."""
        values = _plain(self)
        return {**values, "digest": _digest(values)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` wrote. Raises `InvalidParameterValue` where the digest says that it was changed since."""
        plain = {key: value for key, value in values.items() if key != "digest"}
        if values.get("digest") != _digest(plain):
            raise InvalidParameterValue("The profile is damaged: its digest does not fit. Calibrate again.")
        setting = plain["setting"]
        return cls(
            setting=Setting(
                engine=EngineIdentity(**setting["engine"]),
                hardware=Hardware(**{**setting["hardware"], "gpus": tuple(setting["hardware"]["gpus"])}),
                objective=Objective.from_json(setting["objective"]),
                seed=setting["seed"],
                shape=(setting["shape"][0], setting["shape"][1]),
                load_s=setting["load_s"],
                memory_bytes=setting["memory_bytes"],
                measured_at=setting["measured_at"],
            ),
            weights=CostWeights(**plain["weights"]),
            saturated_work_per_s=plain["saturated_work_per_s"],
            knee_work_per_s=plain["knee_work_per_s"],
            knee_requests_per_s=plain["knee_requests_per_s"],
            fit_error=plain["fit_error"],
            prefill=tuple(Rate(**rate) for rate in plain["prefill"]),
            decode=tuple(Rate(**rate) for rate in plain["decode"]),
            points=tuple(Point.from_json(point) for point in plain["points"]),
            is_provisional=plain["is_provisional"],
        )


def make_profile(setting: Setting, points: Sequence[Point]) -> ThroughputProfile:
    """The profile that these points come to.

    The knee is the highest rate probed that met the objective; without probes, half of what a saturated replica does.
    Raises `CannotFit`.
    """
    fit = fit_cost([SaturatedPoint(p.seconds, p.prompt, p.cached, p.completion) for p in points if p.kind == "mix"])
    work = work_of(fit.weights, setting.shape[0], 0, setting.shape[1])
    probes = [point for point in points if point.kind == "knee"]
    met = [point.rate for point in probes if point.is_objective_met and point.rate is not None]
    if probes and not met:
        raise CannotFit("no rate met the objective")
    knee = max(met) if met else _PROVISIONAL_SHARE * fit.work_per_s / work
    return ThroughputProfile(
        setting=setting,
        weights=_rounded(fit),
        saturated_work_per_s=round(fit.work_per_s, 3),
        knee_work_per_s=round(knee * work, 3),
        knee_requests_per_s=round(knee, 4),
        fit_error=None if fit.typical_error is None else round(fit.typical_error, 4),
        prefill=tuple(_rate(p, p.prompt) for p in points if p.kind == "prefill"),
        decode=tuple(_rate(p, p.completion) for p in points if p.kind == "decode"),
        points=tuple(Point.from_json(point.to_json()) for point in points),
        is_provisional=not met,
    )


def _rate(point: Point, tokens: float) -> Rate:
    return Rate(point.concurrency, round(tokens / point.seconds, 2))


def _rounded(fit: Fit) -> CostWeights:
    weights = fit.weights
    return replace(weights, prompt=round(weights.prompt, 5), cached_prompt=round(weights.cached_prompt, 5))


def _plain(profile: ThroughputProfile) -> dict[str, Any]:
    setting = profile.setting
    hardware = setting.hardware
    return {
        "setting": {
            "engine": {name: getattr(setting.engine, name) for name in ("name", "version", "slots", "threads")},
            "hardware": {
                "processor": hardware.processor,
                "cores": hardware.cores,
                "memory_bytes": hardware.memory_bytes,
                "gpus": list(hardware.gpus),
            },
            "objective": setting.objective.to_json(),
            "seed": setting.seed,
            "shape": list(setting.shape),
            "load_s": round(setting.load_s, 3),
            "memory_bytes": setting.memory_bytes,
            "measured_at": setting.measured_at,
        },
        "weights": {
            "prompt": profile.weights.prompt,
            "cached_prompt": profile.weights.cached_prompt,
            "completion": profile.weights.completion,
        },
        "saturated_work_per_s": profile.saturated_work_per_s,
        "knee_work_per_s": profile.knee_work_per_s,
        "knee_requests_per_s": profile.knee_requests_per_s,
        "fit_error": profile.fit_error,
        "prefill": [{"batch": rate.batch, "tokens_per_s": rate.tokens_per_s} for rate in profile.prefill],
        "decode": [{"batch": rate.batch, "tokens_per_s": rate.tokens_per_s} for rate in profile.decode],
        "points": [point.to_json() for point in profile.points],
        "is_provisional": profile.is_provisional,
    }


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
