"""Capacity is an account that cannot be overdrawn."""

from hypothesis import given
from hypothesis import strategies as st

from openfm.fleet.placement import Machine, Needs, Placement, Shortage, place, shared_cores

machines = st.builds(
    Machine,
    cores=st.integers(1, 16).map(lambda count: tuple(range(count))),
    memory_bytes=st.integers(0, 1000),
    gpu_memory_bytes=st.lists(st.integers(0, 500), max_size=4).map(tuple),
)
needs = st.builds(
    Needs,
    memory_bytes=st.integers(0, 400),
    gpu_memory_bytes=st.sampled_from([0, 0, 100, 300]),
    dedicated_cores=st.integers(0, 4),
)


def placed(machine: Machine, wanted: list[Needs]) -> list[Placement]:
    taken: list[Placement] = []
    for item in wanted:
        found = place(machine, taken, item)
        if isinstance(found, Placement):
            taken.append(found)
    return taken


@given(machines, st.lists(needs, max_size=12))
def test_nothing_is_ever_given_twice(machine: Machine, wanted: list[Needs]) -> None:
    taken = placed(machine, wanted)
    assert sum(placement.needs.memory_bytes for placement in taken) <= machine.memory_bytes
    for number, size in enumerate(machine.gpu_memory_bytes):
        assert sum(p.needs.gpu_memory_bytes for p in taken if p.gpu == number) <= size
    cores = [core for placement in taken for core in placement.cores]
    assert len(cores) == len(set(cores))
    assert set(cores) <= set(machine.cores)


@given(machines, st.lists(needs, max_size=12))
def test_a_core_is_always_left_for_those_that_have_none_of_their_own(machine: Machine, wanted: list[Needs]) -> None:
    assert shared_cores(machine, placed(machine, wanted))


@given(machines, st.lists(needs, max_size=6), needs)
def test_a_refusal_is_true_and_lasting_only_if_an_empty_machine_refuses_too(
    machine: Machine, wanted: list[Needs], more: Needs
) -> None:
    found = place(machine, placed(machine, wanted), more)
    if isinstance(found, Shortage):
        assert isinstance(place(machine, [], more), Shortage) is found.is_lasting
        assert found.message.endswith(".")


def test_cores_of_ones_own_are_given_only_on_a_machine_of_four_or_more() -> None:
    asked = Needs(dedicated_cores=1)
    assert place(Machine((0, 1), 0), [], asked) == Placement(asked)
    assert place(Machine((0, 1, 2, 3), 0), [], asked) == Placement(asked, cores=(3,))


def test_the_gpu_with_most_room_is_taken() -> None:
    machine = Machine((0,), 0, (100, 300, 200))
    first = place(machine, [], Needs(gpu_memory_bytes=150))
    assert isinstance(first, Placement)
    assert first.gpu == 1
    second = place(machine, [first], Needs(gpu_memory_bytes=150))
    assert isinstance(second, Placement)
    assert second.gpu == 2


def test_a_shortage_says_how_much_there_is() -> None:
    found = place(Machine((0,), 3 << 30), [Placement(Needs(2 << 30))], Needs(3 << 30))
    assert isinstance(found, Shortage)
    assert "3.00 GiB" in found.message
    assert "1.00 GiB of 3.00 GiB" in found.message
    assert not found.is_lasting
