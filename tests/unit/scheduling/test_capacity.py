import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.scheduling.capacity import Account, Amounts, Refusal

GIB = 1 << 30
MACHINE = Amounts(cores=4, memory_bytes=8 * GIB, gpus=1, units=3)


def test_what_is_given_is_gone_until_it_is_given_back() -> None:
    account = Account(MACHINE).with_holding("a", Amounts(cores=3))
    assert isinstance(account, Account)
    assert isinstance(account.with_holding("b", Amounts(cores=2)), Refusal)
    assert isinstance(account.without("a").with_holding("b", Amounts(cores=2)), Account)


def test_a_refusal_says_everything_that_is_missing() -> None:
    account = Account(MACHINE, {"a": Amounts(cores=3, memory_bytes=6 * GIB, units=2.5)})
    refused = account.with_holding("b", Amounts(cores=2, memory_bytes=4 * GIB, gpus=1, units=1))
    assert str(refused) == (
        "It needs 2 cores, of which 1 of 4 is left; 4.00 GiB of memory, of which 2.00 GiB of 8.00 GiB are left; "
        "1 unit, of which 0.5 of 3 are left."
    )


def test_who_changes_what_it_has_is_not_counted_twice() -> None:
    account = Account(MACHINE, {"a": Amounts(cores=3)})
    assert isinstance(account.with_holding("a", Amounts(cores=4)), Account)


def test_nothing_can_be_given_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="negative"):
        Amounts(cores=-1)
    with pytest.raises(ValueError, match="more is held"):
        Account(MACHINE, {"a": Amounts(gpus=2)})


amounts = st.builds(
    Amounts,
    cores=st.integers(0, 6),
    memory_bytes=st.integers(0, 10 * GIB),
    gpus=st.integers(0, 2),
    units=st.floats(0, 4),
)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | amounts), max_size=60))
def test_the_account_is_never_overdrawn(changes: list[tuple[int, Amounts | None]]) -> None:
    account = Account(MACHINE)
    for owner, wanted in changes:
        changed = account.without(f"{owner}") if wanted is None else account.with_holding(f"{owner}", wanted)
        if isinstance(changed, Refusal):
            assert changed.lacks
            continue
        account = changed
        for (_, taken), (_, total) in zip(account.taken.items(), MACHINE.items(), strict=True):
            assert taken <= total * (1 + 1e-9)
