from hypothesis import given
from hypothesis import strategies as st

from openfm.fleet.precedence import Precedence, Tenant, giving_way

CORES, GPU, OTHER_GPU = frozenset({"shared cores"}), frozenset({"gpu 0"}), frozenset({"gpu 1"})
PROMISED = Tenant(1, CORES, is_provisioned=True)
SHARED = Tenant(2, CORES, is_provisioned=False)


def test_who_shares_with_a_promise_gives_way_and_nobody_else_does() -> None:
    elsewhere = [Tenant(3, GPU, is_provisioned=False), Tenant(4, frozenset(), is_provisioned=False)]
    on_gpus = [Tenant(5, OTHER_GPU, is_provisioned=True), Tenant(6, OTHER_GPU, is_provisioned=False)]
    assert giving_way([PROMISED, SHARED, *elsewhere, *on_gpus]) == {2, 6}
    assert giving_way([SHARED]) == frozenset()


class System:
    """Remembers who was lowered; `says_no` to raising."""

    def __init__(self) -> None:
        self.lowered: list[int] = []
        self.raised: list[int] = []
        self.tenants: list[Tenant] = []
        self.precedence = Precedence(lambda: self.tenants, self._lower, self._raise)

    def _lower(self, pid: int) -> bool:
        self.lowered.append(pid)
        return pid != 13

    def _raise(self, pid: int) -> bool:
        self.raised.append(pid)
        return True

    def become(self, *tenants: Tenant) -> None:
        self.tenants = list(tenants)
        self.precedence.update()


def test_it_is_lowered_once_and_raised_when_the_last_promise_is_gone() -> None:
    system = System()
    system.become(SHARED)
    system.become(SHARED, PROMISED)
    system.become(SHARED, PROMISED)
    assert (system.lowered, system.raised) == ([2], [])
    system.become(SHARED)
    assert (system.lowered, system.raised) == ([2], [2])
    system.become(SHARED, PROMISED)
    assert system.lowered == [2, 2]


def test_who_is_gone_is_not_raised_and_who_could_not_be_lowered_is_tried_again() -> None:
    system = System()
    system.become(SHARED, PROMISED)
    system.become()
    assert system.raised == []
    stubborn = Tenant(13, CORES, is_provisioned=False)
    system.become(stubborn, PROMISED)
    system.become(stubborn, PROMISED)
    assert system.lowered == [2, 13, 13]


@given(st.lists(st.sets(st.tuples(st.integers(1, 6), st.booleans()), max_size=6), max_size=30))
def test_after_every_change_exactly_those_who_should_are_lowered(days: list[set[tuple[int, bool]]]) -> None:
    lowered: set[int] = set()
    tenants: list[Tenant] = []

    def lower(pid: int) -> bool:
        lowered.add(pid)
        return True

    def restore(pid: int) -> bool:
        lowered.discard(pid)
        return True

    precedence = Precedence(lambda: tenants, lower, restore)
    for day in days:
        kinds = dict(day)
        tenants[:] = [Tenant(pid, CORES, is_provisioned) for pid, is_provisioned in kinds.items()]
        precedence.update()
        lowered &= kinds.keys()
        assert lowered == giving_way(tenants)
