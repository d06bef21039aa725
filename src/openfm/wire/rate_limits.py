"""The headers that tell a client how its limits stand (OpenAI's names and manner of writing a time)."""

import math
from collections.abc import Sequence

from openfm.core.limits import Measure, Standing, tightest

_TOKENS = (Measure.TOKENS, Measure.INPUT_TOKENS, Measure.OUTPUT_TOKENS)
_NAMES = {
    kind: (b"x-ratelimit-limit-" + kind, b"x-ratelimit-remaining-" + kind, b"x-ratelimit-reset-" + kind)
    for kind in (b"requests", b"tokens")
}


def rate_limit_headers(standings: Sequence[Standing]) -> list[tuple[bytes, bytes]]:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}` of the tightest limit of each kind."""
    requests = tightest([one for one in standings if one.limit.measure is Measure.REQUESTS])
    tokens = tightest([one for one in standings if one.limit.measure in _TOKENS])
    headers = []
    for kind, standing in ((b"requests", requests), (b"tokens", tokens)):
        if standing is not None:
            limit, remaining, reset = _NAMES[kind]
            headers += [
                (limit, b"%d" % standing.limit.amount),
                (remaining, b"%d" % standing.remaining),
                (reset, _duration(standing.reset_s)),
            ]
    return headers


def provision_headers(utilisation: float | None, spilled_to: str | None) -> list[tuple[bytes, bytes]]:
    """How full the endpoint's provisioned throughput is (1 is all of it), and which endpoint answers instead."""
    headers = []
    if utilisation is not None:
        headers.append((b"x-openfm-utilization", f"{utilisation:.3f}".encode()))
    if spilled_to is not None:
        headers.append((b"x-openfm-spillover", spilled_to.encode()))
    return headers


def _duration(seconds: float) -> bytes:
    """Like 120ms, 1.2s, 6m0s, 1h0m0s; never shorter than it is."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds < 1000:
        return b"%dms" % milliseconds
    tenths = math.ceil(milliseconds / 100)
    if tenths < 600:
        return b"%gs" % (tenths / 10)
    minutes, rest = divmod(math.ceil(tenths / 10), 60)
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%ds" % (hours, minutes, rest) if hours else b"%dm%ds" % (minutes, rest)
