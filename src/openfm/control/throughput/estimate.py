"""What serving a version would take and give, before anybody serves it. Pure."""

from typing import Any

from openfm.control.throughput.ports import MemoryFit
from openfm.scheduling.points import Point
from openfm.scheduling.profile import ThroughputProfile


def shown_memory(fit: MemoryFit) -> dict[str, Any]:
    """The memory of one replica beside what is held already."""
    return {
        "weight_bytes": fit.weight_bytes,
        "kv_cache_bytes": fit.kv_cache_bytes,
        "overhead_bytes": fit.overhead_bytes,
        "sequences": fit.sequences,
        "replica_bytes": fit.memory_bytes,
        "held_bytes": fit.held_bytes,
        "left_bytes": max(0, fit.total_bytes - fit.held_bytes),
        "total_bytes": fit.total_bytes,
    }


def shown_throughput(profile: ThroughputProfile, warning: str | None) -> dict[str, Any]:
    """What throughput is sold in, and what it does: how many of which requests how fast, as measured at the knee."""
    prompt, completion = profile.setting.shape
    knee = _knee(profile)
    return {
        "throughput_chunk_size": profile.chunk_size,
        "is_provisional": profile.is_provisional,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "work_per_request": round(profile.knee_work_per_s / profile.knee_requests_per_s, 2)
        if profile.knee_requests_per_s
        else None,
        "percentile": profile.setting.objective.percentile,
        "ttft_ms": None if knee is None else knee.ttft_ms,
        "tpot_ms": None if knee is None else knee.tpot_ms,
        "e2e_ms": None if knee is None else knee.e2e_ms,
        "load_s": round(profile.setting.load_s, 2),
        "warning": warning,
    }


def _knee(profile: ThroughputProfile) -> Point | None:
    """The highest rate that met the objective; None where no rate was tried."""
    kept = [point for point in profile.points if point.rate is not None and point.is_objective_met]
    return max(kept, key=lambda point: point.rate or 0.0, default=None)
