"""How much throughput an endpoint can be promised."""

_WEIGHTS_READ_BYTES_PER_S = 20e9
_SEQUENCES_AT_ONCE = 4
_BYTES_PER_PARAMETER = 2
_STEP = 10


def provisional_chunk_size(parameters: int) -> int:
    """Tokens a second that throughput is provisioned in multiples of, before anything was measured.

    A token costs one reading of all weights, and sequences that run together share it: with f16 weights, 20 GB/s of
    memory bandwidth and 4 sequences at once a model of 1e9 parameters makes 40 tokens a second. A multiple of 10.
    """
    per_s = _WEIGHTS_READ_BYTES_PER_S * _SEQUENCES_AT_ONCE / (_BYTES_PER_PARAMETER * max(1, parameters))
    return max(_STEP, round(per_s / _STEP) * _STEP)
