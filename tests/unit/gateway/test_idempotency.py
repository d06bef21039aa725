"""A key is good for one answer: the same request again is told so, another one too."""

import pytest

from openfm.core.errors import Conflict, InvalidRequest, Unprocessable
from openfm.gateway.idempotency import Attempts, attempt, key_in
from openfm.limits.key_store import InProcessKeys


@pytest.fixture
def attempts() -> Attempts:
    return Attempts(InProcessKeys(lambda: 1_000_000.0))


FIRST = attempt("ann", "endpoint", "key", b"body")


async def test_the_same_request_again_is_told_the_first_ones_id(attempts: Attempts) -> None:
    await attempts.begin(FIRST, "r1")
    with pytest.raises(Conflict, match="r1"):
        await attempts.begin(FIRST, "r2")


async def test_another_request_with_the_same_key_is_a_mistake(attempts: Attempts) -> None:
    await attempts.begin(FIRST, "r1")
    with pytest.raises(Unprocessable, match="r1"):
        await attempts.begin(attempt("ann", "endpoint", "key", b"other body"), "r2")


@pytest.mark.parametrize("other", [("bob", "endpoint", "key"), ("ann", "other", "key"), ("ann", "endpoint", "key2")])
async def test_keys_of_others_and_for_others_are_other_keys(attempts: Attempts, other: tuple[str, str, str]) -> None:
    await attempts.begin(FIRST, "r1")
    await attempts.begin(attempt(*other, b"body"), "r2")


async def test_what_came_to_nothing_may_be_sent_again(attempts: Attempts) -> None:
    await attempts.begin(FIRST, "r1")
    await attempts.forget(FIRST)
    await attempts.begin(FIRST, "r2")


@pytest.mark.parametrize("values", [[b""], [b"x" * 10_000], [b"a", b"b"], [b"\xff"], [b"a\nb"]])
def test_what_is_no_key_is_refused(values: list[bytes]) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        key_in([(b"idempotency-key", value) for value in values])


def test_a_request_without_a_key_has_none() -> None:
    assert key_in([(b"authorization", b"Bearer x")]) is None
