"""Promised against delivered, minute by minute. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from openfm.core.objective import Objective
from openfm.core.percentiles import percentile
from openfm.scheduling.calibration import work_of
from openfm.scheduling.work import CostWeights

REFUSED = (429, 503)
"""The statuses that say: not now."""

_KEPT_SHARE = 0.95
"""A minute in which requests were refused delivers its promise if so much of it was worked: refusals come in steps."""


@dataclass(frozen=True, slots=True)
class Served:
    """A request as the ledger has it. Times are us since the epoch; `cached` is part of `prompt`."""

    received_us: int
    first_token_us: int | None
    finished_us: int
    status: int
    prompt: int
    cached: int
    completion: int

    @property
    def ttft_ms(self) -> float | None:
        """From its arrival to the first token."""
        return None if self.first_token_us is None else (self.first_token_us - self.received_us) / 1000

    @property
    def tpot_ms(self) -> float | None:
        """(end - first token) / (completion tokens - 1)."""
        if self.first_token_us is None or self.completion < 2:
            return None
        return (self.finished_us - self.first_token_us) / 1000 / (self.completion - 1)

    @property
    def e2e_ms(self) -> float:
        """From its arrival to its end."""
        return (self.finished_us - self.received_us) / 1000


@dataclass(frozen=True, slots=True)
class Refusals:
    """Requests of one minute that were refused before they were dispatched, for the same reason.

    `is_for_want`: for want of throughput, not by a limit or budget that somebody set.
    """

    minute: int
    code: str
    requests: int
    is_for_want: bool


@dataclass(frozen=True, slots=True)
class Promise:
    """What an endpoint was promised: tokens/s in each minute (0 for none), within this objective, by these weights."""

    throughput: Callable[[int], float]
    objective: Objective
    weights: CostWeights


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute since the epoch, of the requests that arrived in it. `breaches` says what was not kept, and why."""

    minute: int
    promised: float
    requests: int
    refused: int
    failed: int
    delivered: float
    ttft_ms: float | None
    tpot_ms: float | None
    e2e_ms: float | None
    breaches: tuple[str, ...] = ()


def by_minute(served: Iterable[Served], refusals: Iterable[Refusals], promise: Promise) -> Sequence[Minute]:
    """The minutes in which requests arrived, in order; `served` were dispatched, `refusals` were not.

    Delivered throughput is the work of answered requests over 60 s; percentiles are the objective's, of answered ones.
    """
    groups: defaultdict[int, list[Served]] = defaultdict(list)
    for one in served:
        groups[one.received_us // 60_000_000].append(one)
    turned_away: defaultdict[int, list[Refusals]] = defaultdict(list)
    for some in refusals:
        turned_away[some.minute].append(some)
    numbers = sorted(groups.keys() | turned_away.keys())
    return [_minute(number, groups[number], turned_away[number], promise) for number in numbers]


def _minute(number: int, served: Sequence[Served], refusals: Sequence[Refusals], promise: Promise) -> Minute:
    answered = [one for one in served if one.status < 400]
    rank = promise.objective.percentile
    work = sum(work_of(promise.weights, one.prompt, one.cached, one.completion) for one in answered)
    before = sum(some.requests for some in refusals)
    minute = Minute(
        minute=number,
        promised=promise.throughput(number),
        requests=len(served) + before,
        refused=sum(one.status in REFUSED for one in served) + before,
        failed=sum(one.status >= 500 and one.status not in REFUSED for one in served),
        delivered=work / 60,
        ttft_ms=percentile([v for one in answered if (v := one.ttft_ms) is not None], rank),
        tpot_ms=percentile([v for one in answered if (v := one.tpot_ms) is not None], rank),
        e2e_ms=percentile([one.e2e_ms for one in answered], rank),
    )
    return replace(minute, breaches=tuple(_breaches(minute, _wanting(served, refusals), promise.objective)))


def _wanting(served: Sequence[Served], refusals: Sequence[Refusals]) -> Counter[str]:
    """How many were refused for want of throughput, by reason."""
    reasons = Counter(f"HTTP {one.status}" for one in served if one.status in REFUSED)
    for some in refusals:
        if some.is_for_want:
            reasons[some.code] += some.requests
    return reasons


def _breaches(minute: Minute, wanting: Counter[str], objective: Objective) -> Iterable[str]:
    for name, value, bound in (
        ("TTFT", minute.ttft_ms, objective.ttft_ms),
        ("TPOT", minute.tpot_ms, objective.tpot_ms),
        ("E2E", minute.e2e_ms, objective.e2e_ms),
    ):
        if value is not None and bound is not None and value > bound:
            yield f"{name} p{objective.percentile:g} was {value:.0f} ms, above {bound:g} ms"
    if minute.failed:
        yield f"{minute.failed} of {minute.requests} requests failed"
    if minute.promised and wanting and minute.delivered < _KEPT_SHARE * minute.promised:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(wanting.items()))
        yield (
            f"{wanting.total()} requests were refused ({reasons}) while {minute.delivered:.0f} of "
            f"{minute.promised:.0f} tokens/s were delivered"
        )
