"""Who was promised throughput goes first where hardware is shared; `service_tier` orders one's own requests."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from openfm.core.job import ServiceTier
from openfm.core.usage import TokenCounts
from openfm.gateway.admission import Admission, QueueLimits, Seats, Ticket

CORES, GPU = frozenset({"shared cores"}), frozenset({"gpu 0"})
PROMISED = Seats(1, CORES, is_provisioned=True)


def make() -> Admission:
    return Admission(QueueLimits(100, 60.0), lambda: 0.0)


class Request:
    """One that is let in, begins to answer, and ends when it is told to."""

    def __init__(self, admission: Admission, key: str, seats: Seats) -> None:
        self._is_in = False
        self._begin, self._end = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._run(admission, key, seats))

    async def _run(self, admission: Admission, key: str, seats: Seats) -> None:
        async with admission.admit(key, seats, "ann") as ticket:
            self._is_in = True
            await self._begin.wait()
            ticket.charge(TokenCounts(prompt=1, completion=1))
            await self._end.wait()

    def has_entered(self) -> bool:
        return self._is_in

    async def begins(self) -> None:
        self._begin.set()
        await settled()

    async def ends(self) -> None:
        self._begin.set()
        self._end.set()
        await self.task
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_while_a_promised_request_waits_or_is_read_nobody_else_starts_on_its_cores() -> None:
    admission = make()
    first = Request(admission, "pt", PROMISED)
    second = Request(admission, "pt", PROMISED)
    await settled()
    other = Request(admission, "shared", Seats(4, CORES))
    await settled()
    assert (first.has_entered(), second.has_entered(), other.has_entered()) == (True, False, False)
    await first.begins()
    assert not other.has_entered(), "the second one waits"
    await first.ends()
    assert (second.has_entered(), other.has_entered()) == (True, False), "its prompt is being read"
    await second.begins()
    assert other.has_entered()
    await second.ends()
    await other.ends()
    assert (admission.outstanding, admission.waiting) == (0, 0)


async def test_other_hardware_is_nobodys_business() -> None:
    admission = make()
    promised = Request(admission, "pt", PROMISED)
    await settled()
    elsewhere, unknown = Request(admission, "gpu", Seats(1, GPU)), Request(admission, "external", Seats(1))
    await settled()
    assert (elsewhere.has_entered(), unknown.has_entered()) == (True, True)
    for request in (promised, elsewhere, unknown):
        await request.ends()


async def test_two_who_were_promised_do_not_hold_each_other_back() -> None:
    admission = make()
    one, other = Request(admission, "a", PROMISED), Request(admission, "b", PROMISED)
    await settled()
    assert (one.has_entered(), other.has_entered()) == (True, True)
    await one.ends()
    await other.ends()


async def test_a_promised_request_that_is_given_up_lets_the_others_go_on() -> None:
    admission = make()
    first, waits = Request(admission, "pt", PROMISED), Request(admission, "pt", PROMISED)
    await settled()
    await first.begins()
    other = Request(admission, "shared", Seats(4, CORES))
    await settled()
    assert not other.has_entered()
    waits.task.cancel()
    await settled()
    assert other.has_entered()
    await first.ends()
    await other.ends()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.booleans()), min_size=1, max_size=40))
def test_whatever_comes_and_leaves_nobody_is_forgotten(callers: list[tuple[bool, int, bool]]) -> None:
    async def run() -> None:
        admission = make()

        async def caller(key: str, seats: Seats, steps: int) -> None:
            async with admission.admit(key, seats, "ann") as ticket:
                for _ in range(steps):
                    await asyncio.sleep(0)
                ticket.charge(TokenCounts(1, 1))
                for _ in range(steps):
                    await asyncio.sleep(0)

        tasks = []
        for is_promised, steps, gives_up in callers:
            key, seats = ("pt", Seats(2, CORES, is_provisioned=True)) if is_promised else ("shared", Seats(2, CORES))
            tasks.append(asyncio.create_task(caller(key, seats, steps)))
            await asyncio.sleep(0)
            if gives_up:
                tasks[len(tasks) // 2].cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert (admission.outstanding, admission.waiting) == (0, 0)

    asyncio.run(run())


async def test_priority_goes_before_ones_own_other_requests_and_before_nobody_elses() -> None:
    admission, order = make(), []

    async def call(name: str, principal: str, tier: ServiceTier) -> None:
        async with admission.admit("shared", Seats(1, CORES), principal, 10, tier) as ticket:
            order.append(name)
            charge(ticket)
            await asyncio.sleep(0)

    async with admission.admit("shared", Seats(1, CORES), "holder"):
        tasks = []
        for name, principal, tier in (
            ("a1", "a", ServiceTier.DEFAULT),
            ("a2", "a", ServiceTier.DEFAULT),
            ("a!", "a", ServiceTier.PRIORITY),
            ("b1", "b", ServiceTier.DEFAULT),
            ("a!!", "a", ServiceTier.PRIORITY),
        ):
            tasks.append(asyncio.create_task(call(name, principal, tier)))
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert [name for name in order if name[0] == "a"] == ["a!", "a!!", "a1", "a2"]
    assert order.index("b1") == 1


def charge(ticket: Ticket) -> None:
    ticket.charge(TokenCounts(prompt=10, completion=10))


async def test_idle_means_that_half_of_the_places_are_free_and_nobody_waits() -> None:
    admission = make()
    assert not admission.is_idle("pt"), "nothing is known yet"
    seats = Seats(2, CORES, is_provisioned=True)
    async with admission.admit("pt", seats, "ann"):
        assert admission.is_idle("pt")
        async with admission.admit("pt", seats, "ann"):
            assert not admission.is_idle("pt")
