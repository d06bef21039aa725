"""Promised against delivered."""

from openfm.core.objective import Objective
from openfm.scheduling.delivery import Minute, Promise, Refusals, Served, by_minute
from openfm.scheduling.work import CostWeights

PROMISE = Promise(lambda _: 10.0, Objective(ttft_ms=500, tpot_ms=50), CostWeights(0.5, 0.0, 1.0))
MINUTE_US = 60_000_000


def answer(minute: int, ttft_ms: int = 100, tokens: int = 11, tpot_ms: int = 20, status: int = 200) -> Served:
    begun = minute * MINUTE_US + 1000
    first = begun + ttft_ms * 1000
    return Served(begun, first, first + tpot_ms * 1000 * (tokens - 1), status, prompt=20, cached=0, completion=tokens)


def told(*served: Served, promise: Promise = PROMISE) -> list[Minute]:
    return list(by_minute(served, [], promise))


def turned_away(minute: int, requests: int, *, is_for_want: bool = True) -> Refusals:
    return Refusals(minute, "overloaded" if is_for_want else "insufficient_quota", requests, is_for_want)


def refused(minute: int, status: int = 429) -> Served:
    return Served(minute * MINUTE_US, None, minute * MINUTE_US + 5000, status, 0, 0, 0)


def test_delivered_throughput_is_the_work_of_answered_requests_over_the_minute() -> None:
    (minute,) = told(answer(5), answer(5))
    assert minute.minute == 5
    assert minute.delivered == 2 * (10 + 11) / 60
    assert minute.breaches == ()


def test_a_minute_whose_percentile_is_over_the_objective_says_so_with_the_figures() -> None:
    (minute,) = told(answer(1, ttft_ms=700), answer(1, tpot_ms=60))
    assert minute.breaches == ("TTFT p95 was 700 ms, above 500 ms", "TPOT p95 was 60 ms, above 50 ms")


def test_refusing_is_a_breach_only_while_the_promise_is_not_delivered() -> None:
    short = told(answer(1), refused(1))[0]
    assert short.refused == 1
    assert "0 of 10 tokens/s" in short.breaches[0]
    full = told(*(answer(1, tokens=100, tpot_ms=1) for _ in range(6)), refused(1))[0]
    assert full.delivered >= 10
    assert full.breaches == ()
    free = Promise(lambda _: 0.0, PROMISE.objective, PROMISE.weights)
    assert told(refused(1), promise=free)[0].breaches == ()


def test_failures_are_breaches_and_minutes_are_in_order() -> None:
    minutes = told(refused(9, 502), answer(3))
    assert [minute.minute for minute in minutes] == [3, 9]
    assert minutes[1].breaches == ("1 of 1 requests failed",)


def test_refusals_that_no_engine_saw_are_requests_of_their_minute_and_a_breach_says_why() -> None:
    alone, beside = by_minute([answer(8)], [turned_away(7, 14), turned_away(8, 3)], PROMISE)
    assert (alone.requests, alone.refused, alone.delivered) == (14, 14, 0)
    assert alone.breaches == ("14 requests were refused (overloaded 14) while 0 of 10 tokens/s were delivered",)
    assert (beside.requests, beside.refused) == (4, 3)


def test_what_a_limit_or_budget_refused_breaks_no_promise() -> None:
    (minute,) = by_minute([answer(1)], [turned_away(1, 5, is_for_want=False)], PROMISE)
    assert (minute.refused, minute.breaches) == (5, ())


def test_each_minute_is_judged_by_what_was_promised_then() -> None:
    later = Promise(lambda minute: 10.0 if minute >= 5 else 0.0, PROMISE.objective, PROMISE.weights)
    before, after = by_minute([], [turned_away(4, 1), turned_away(5, 1)], later)
    assert (before.promised, before.breaches) == (0, ())
    assert after.promised == 10
    assert len(after.breaches) == 1
