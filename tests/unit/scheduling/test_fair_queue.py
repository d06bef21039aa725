"""The fair queue, operation by operation, in any order."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openfm.core.usage import TokenCounts
from openfm.scheduling.fair_queue import FairQueue, TokenPrices

PRINCIPALS = st.sampled_from("abcdef")
WEIGHTS = {"a": 2.0, "b": 0.5}


class Machine(RuleBasedStateMachine):
    """Beside it a queue that never forgets a counter: with so few principals, both must choose alike."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[str] = FairQueue(WEIGHTS, most_idle=5)
        self.careful: FairQueue[str] = FairQueue(WEIGHTS, most_idle=10**9)
        self.waiting: dict[str, list[str]] = {name: [] for name in "abcdef"}
        self.running: list[tuple[str, int]] = []  # with what is expected of each
        self.number = 0

    @rule(principal=PRINCIPALS)
    def push(self, principal: str) -> None:
        self.number += 1
        item = f"{principal}{self.number}"
        self.queue.push(principal, item)
        self.careful.push(principal, item)
        self.waiting[principal].append(item)

    @precondition(lambda self: any(self.waiting.values()))
    @rule(expected=st.integers(0, 1000))
    def pop(self, expected: int) -> None:
        item = self.queue.pop()
        assert item == self.careful.pop()
        principal = item[0]
        assert self.waiting[principal].pop(0) == item
        self.running.append((principal, expected))
        self._expect(principal, expected)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), cost=st.integers(0, 500))
    def charge(self, data: st.DataObject, cost: int) -> None:
        principal, expected = running = data.draw(st.sampled_from(self.running))
        self.running.remove(running)
        self.running.append((principal, 0))
        self._expect(principal, -expected)
        self.queue.charge(principal, cost)
        self.careful.charge(principal, cost)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        principal, expected = running = data.draw(st.sampled_from(self.running))
        self.running.remove(running)
        self._expect(principal, -expected)
        self.queue.finish(principal)
        self.careful.finish(principal)

    @rule(principal=PRINCIPALS, data=st.data())
    def remove(self, principal: str, data: st.DataObject) -> None:
        mine = self.waiting[principal]
        item = data.draw(st.sampled_from(mine)) if mine else "nobody"
        assert self.queue.remove(principal, item) == self.careful.remove(principal, item) == bool(mine)
        if mine:
            mine.remove(item)

    @rule(principal=PRINCIPALS, capacity=st.integers(1, 12))
    def make_room(self, principal: str, capacity: int) -> None:
        item = self.queue.make_room(principal, capacity)
        assert item == self.careful.make_room(principal, capacity)
        if item is None:
            return
        loser = item[0]
        assert loser != principal
        assert self.waiting[loser].pop() == item, "the newest"
        crowding = {name: len(mine) / WEIGHTS.get(name, 1.0) for name, mine in self.waiting.items()}
        crowding[loser] += 1 / WEIGHTS.get(loser, 1.0)
        assert crowding[loser] == pytest.approx(max(crowding.values()))

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.queue) == sum(map(len, self.waiting.values()))
        for principal, mine in self.waiting.items():
            assert self.queue.waiting(principal) == len(mine)

    def _expect(self, principal: str, cost: int) -> None:
        self.queue.expect(principal, cost)
        self.careful.expect(principal, cost)


Machine.TestCase.settings = settings(max_examples=200, stateful_step_count=60)
TestMachine = Machine.TestCase


def fill(queue: FairQueue[str], **counts: int) -> None:
    for principal, count in counts.items():
        for number in range(count):
            queue.push(principal, f"{principal}{number}")


def served(queue: FairQueue[str], most: int, cost: Callable[[str], float] = lambda _: 1.0) -> str:
    """Who is taken, in turn; each item costs and is finished at once."""
    taken = ""
    for _ in range(min(most, len(queue))):
        principal = queue.pop()[0]
        queue.charge(principal, cost(principal))
        queue.finish(principal)
        taken += principal
    return taken


def test_ten_times_the_load_gets_no_more_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, a=50, b=5)
    assert served(queue, 10) == "ababababab"


def test_a_principal_whose_requests_cost_more_gets_fewer_of_them() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, a=20, b=20)
    taken = served(queue, 20, lambda principal: 3.0 if principal == "a" else 1.0)
    assert (taken.count("a"), taken.count("b")) == (5, 15)


def test_a_weight_is_a_share() -> None:
    queue: FairQueue[str] = FairQueue({"a": 3.0})
    fill(queue, a=40, b=40)
    taken = served(queue, 40)
    assert (taken.count("a"), taken.count("b")) == (30, 10)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_is_a_positive_number(weight: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        FairQueue({"a": weight})


def test_a_completion_token_costs_as_much_as_two_of_the_prompt() -> None:
    assert TokenPrices().cost(TokenCounts(prompt=10, completion=3)) == 16


def test_nothing_comes_out_of_an_empty_queue() -> None:
    with pytest.raises(IndexError):
        FairQueue[str]().pop()


def test_who_comes_to_an_empty_line_begins_where_the_last_one_stands_now() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, a=1)
    queue.pop()
    queue.charge("a", 100)  # while its answer is produced, and nobody waits
    fill(queue, b=3, a=3)
    assert served(queue, 6) == "bababa", "b owes nothing to a, and a nothing to b"


def test_counters_of_ten_thousand_who_came_once_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue(most_idle=100)
    most = 0
    for number in range(10_000):
        principal = f"p{number}"
        queue.push(principal, principal)
        queue.push(f"q{number}", f"q{number}")
        for _ in range(2):
            taken = queue.pop()
            queue.charge(taken, 1 + number % 7)
            queue.finish(taken)
        most = max(most, queue.remembered)
    assert most <= 2 * 100 + 2


def test_a_crowd_of_strangers_that_never_leaves_the_line_empty_is_forgotten_too() -> None:
    queue: FairQueue[str] = FairQueue(most_idle=100)
    queue.push("p0", "p0")
    most = 0
    for number in range(1, 10_000):  # one waits at any time, so that the level stays
        queue.push(f"p{number}", f"p{number}")
        taken = queue.pop()
        queue.charge(taken, 5)
        queue.finish(taken)
        most = max(most, queue.remembered)
    assert most <= 2 * 100 + 2


def test_who_has_less_than_its_share_of_a_full_line_takes_the_newest_place_of_who_has_most() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, a=6, b=2)
    assert queue.make_room("c", 8) == "a5"
    queue.push("c", "c0")
    assert queue.make_room("c", 8) == "a4"
    queue.push("c", "c1")
    assert queue.make_room("c", 8) is None, "a third of eight is less than three"
    assert queue.make_room("a", 8) is None


def test_a_line_with_room_turns_nobody_away() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, a=7)
    assert queue.make_room("b", 8) is None


def test_a_share_is_by_weight() -> None:
    queue: FairQueue[str] = FairQueue({"a": 3.0})
    fill(queue, a=6, b=2)
    assert queue.make_room("b", 8) is None, "a quarter of the line is its share"
    queue = FairQueue({"a": 3.0})
    fill(queue, a=5, b=3)
    assert queue.make_room("a", 8) == "b2"


def test_more_principals_than_the_line_is_long_turn_nobody_away() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, a=1, b=1)
    assert queue.make_room("c", 2) is None


@pytest.mark.parametrize("strangers", [0, 10])
def test_who_leaves_the_line_and_comes_back_still_has_had_what_it_had(strangers: int) -> None:
    queue: FairQueue[str] = FairQueue(most_idle=2)
    fill(queue, a=1, b=20)
    assert served(queue, 1, lambda _: 10.0) == "a"
    for number in range(strangers):  # so many that counters are forgotten
        stranger = f"x{number}"
        queue.push(stranger, stranger)
        assert queue.remove(stranger, stranger)
    fill(queue, a=1)
    assert served(queue, 13) == "b" * 11 + "ab", "of two who had as much, who came first"


def test_what_is_expected_counts_for_the_order_but_lifts_nobody() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, a=3)
    queue.pop()
    queue.expect("a", 1000)
    fill(queue, b=3)
    assert served(queue, 2) == "bb"
    queue.expect("a", -1000)
    queue.charge("a", 1)
    assert served(queue, 3) == "aab", "a stood at 1, b at 2; of two who had as much, who came first"
