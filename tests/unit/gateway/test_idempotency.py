"""A key is good for one answer: the same request again is told so, another one too."""

from dataclasses import dataclass

import pytest

from openfm.core.errors import Conflict, InvalidRequest, Unprocessable
from openfm.gateway.idempotency import REMEMBERED_S, Attempts, attempt, key_in


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(clock)


FIRST = attempt("ann", "endpoint", "key", b"body")


def test_the_same_request_again_is_told_the_first_ones_id(attempts: Attempts) -> None:
    attempts.begin(FIRST, "r1")
    with pytest.raises(Conflict, match="r1"):
        attempts.begin(FIRST, "r2")


def test_another_request_with_the_same_key_is_a_mistake(attempts: Attempts) -> None:
    attempts.begin(FIRST, "r1")
    with pytest.raises(Unprocessable, match="r1"):
        attempts.begin(attempt("ann", "endpoint", "key", b"other body"), "r2")


@pytest.mark.parametrize("other", [("bob", "endpoint", "key"), ("ann", "other", "key"), ("ann", "endpoint", "key2")])
def test_keys_of_others_and_for_others_are_other_keys(attempts: Attempts, other: tuple[str, str, str]) -> None:
    attempts.begin(FIRST, "r1")
    attempts.begin(attempt(*other, b"body"), "r2")


def test_what_came_to_nothing_may_be_sent_again(attempts: Attempts) -> None:
    attempts.begin(FIRST, "r1")
    attempts.forget(FIRST)
    attempts.begin(FIRST, "r2")


def test_keys_are_forgotten_after_a_day(attempts: Attempts, clock: Clock) -> None:
    attempts.begin(FIRST, "r1")
    clock.now += REMEMBERED_S - 1
    with pytest.raises(Conflict):
        attempts.begin(FIRST, "r2")
    clock.now += 2
    attempts.begin(FIRST, "r3")


def test_what_the_ledger_knew_at_the_start_is_known(clock: Clock) -> None:
    with pytest.raises(Conflict, match="r1"):
        Attempts(clock, [(FIRST, "r1", clock.now - 10)]).begin(FIRST, "r2")


@pytest.mark.parametrize("values", [[b""], [b"x" * 10_000], [b"a", b"b"], [b"\xff"], [b"a\nb"]])
def test_what_is_no_key_is_refused(values: list[bytes]) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        key_in([(b"idempotency-key", value) for value in values])


def test_a_request_without_a_key_has_none() -> None:
    assert key_in([(b"authorization", b"Bearer x")]) is None
