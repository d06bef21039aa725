"""How much throughput a model version is promised: in what it is sold, and what is expected before it was measured."""

import math

_WEIGHTS_A_CORE_PER_S = 5e9
_WEIGHTS_A_GPU_PER_S = 1e12
_CHUNKS_A_REPLICA = 4
_DIGITS = 2
_FEWEST_CORES_TO_DIVIDE = 4


def chunk_of(replica_per_s: float) -> int:
    """Tokens a second that throughput is sold in multiples of, where one replica can be promised `replica_per_s`.

    A quarter of it, rounded down to two digits, at least 1: Databricks' notebook asks for twice to three times the
    chunk, and an idle machine with one replica keeps that.
    """
    whole = math.floor(replica_per_s / _CHUNKS_A_REPLICA)
    step = int(10 ** max(0, len(str(whole)) - _DIGITS))
    return max(1, whole // step * step)


def expected_per_s(parameters: int, cores: int, gpus: int) -> float:
    """Tokens a second that a replica is expected to keep its objective at: on one of the GPUs, else on so many cores.

    A completion token takes every weight once. With several sequences at once a core takes in 10e9 quantised weights a
    second (SmolLM2-135M on two cores: 90 to 280 tokens a second in all), the smallest GPUs 2e12 (300 GB a second, two
    bytes each, a dozen sequences that share a reading); half of what saturates is taken to meet the objective.
    """
    weights_per_s = _WEIGHTS_A_GPU_PER_S if gpus else cores * _WEIGHTS_A_CORE_PER_S
    return weights_per_s / max(1, parameters)


def cores_of_one(cores: int) -> int:
    """CPU cores of a replica whose throughput is promised: a quarter, where there are enough to divide, else all."""
    return cores // _FEWEST_CORES_TO_DIVIDE if cores >= _FEWEST_CORES_TO_DIVIDE else cores


def side_by_side(cores: int, threads: int, gpus: int) -> int:
    """How many replicas compute at once: one on each GPU, or on `threads` cores of their own, and one is left."""
    if gpus:
        return gpus
    return max(1, (cores - 1) // threads) if 0 < threads < cores else 1
