"""Fair order on the real engine: a principal with ten times the load takes nothing from the share of a small one."""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.conftest import CHAT, Server, StartServer
from tests.e2e.load import Management

_SLOTS = 4
_SMALL = 4
_BIG = 10 * _SMALL
_TOKENS = 48
_WARM_UP_S = 4.0
_MEASURED_S = 24.0
_BODY = {
    "messages": [{"role": "user", "content": "Tell me a long story."}],
    "stream": True,
    "ignore_eos": True,
}


@dataclass(slots=True)
class Tally:
    """What one group of clients got: the time of every token, and of every first token with how long it took."""

    tokens_s: list[float] = field(default_factory=list)
    first_s: list[tuple[float, float]] = field(default_factory=list)

    def rate(self, begin: float, end: float) -> float:
        """Completion tokens a second."""
        return sum(begin <= at < end for at in self.tokens_s) / (end - begin)

    def ttft_p95_ms(self, begin: float, end: float) -> float:
        """The 95th percentile of the time to the first token."""
        return 1000 * statistics.quantiles([took for at, took in self.first_s if begin <= at < end], n=20)[-1]


@dataclass(frozen=True, slots=True)
class Clients:
    """So many callers with this token, each asking again as soon as it has its answer, or `every_s` seconds."""

    token: str
    number: int
    tokens: int = _TOKENS
    every_s: float | None = None


async def _ask(session: aiohttp.ClientSession, url: str, clients: Clients, seed: int, tally: Tally) -> None:
    began, seen = time.monotonic(), 0
    body, headers = _BODY | {"seed": seed, "max_tokens": clients.tokens}, {"authorization": f"Bearer {clients.token}"}
    async with session.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if not line.startswith(b"data: {"):
                continue
            now, tokens = time.monotonic(), json.loads(line[6:])["usage"]["completion_tokens"]
            if not seen:
                tally.first_s.append((now, now - began))
            tally.tokens_s += [now] * (tokens - seen)
            seen = tokens


async def _client(session: aiohttp.ClientSession, url: str, clients: Clients, seed: int, tally: Tally) -> None:
    if clients.every_s is None:
        while True:
            await _ask(session, url, clients, seed, tally)
    async with asyncio.TaskGroup() as tasks:
        while True:
            tasks.create_task(_ask(session, url, clients, seed, tally))
            await asyncio.sleep(clients.every_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """The middle part of a run, while all clients were busy."""

    tallies: Mapping[str, Tally]
    begin: float
    end: float

    def rate(self, name: str) -> float:
        return self.tallies[name].rate(self.begin, self.end)

    def ttft_p95_ms(self, name: str) -> float:
        return self.tallies[name].ttft_p95_ms(self.begin, self.end)


async def measured(server: Server, **groups: Clients) -> Measured:
    """All groups at once."""
    url = f"{server.url}/serving-endpoints/{CHAT}/invocations"
    tallies = {name: Tally() for name in groups}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = [
            asyncio.create_task(_client(session, url, clients, seed, tallies[name]))
            for name, clients in sorted(groups.items())
            for seed in range(clients.number)
        ]
        await asyncio.sleep(_WARM_UP_S)
        begin = time.monotonic()
        await asyncio.sleep(_MEASURED_S)
        end = time.monotonic()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended
    return Measured(tallies, begin, end)


async def new_user(server: Server, name: str) -> str:
    """A user's access token."""
    async with aiohttp.ClientSession() as session:
        admin = Management(server, session)
        await admin.ask("POST", "/api/2.0/preview/scim/v2/Users", {"userName": name})
        asked = {"application_id": name}
        made = await admin.ask("POST", "/api/2.0/token-management/on-behalf-of/tokens", asked)
        return str(made["token_value"])


@pytest.mark.slow
async def test_ten_times_the_load_of_another_takes_nothing_from_a_small_ones_share(start_server: StartServer) -> None:
    """The small one has as many clients as there are places: it always has something waiting, as the bound asks."""
    server = start_server(engine_slots=str(_SLOTS))
    small, big = await new_user(server, "small@example.com"), await new_user(server, "big@example.com")
    alone = await measured(server, small=Clients(small, _SMALL))
    fair = await measured(server, small=Clients(small, _SMALL), big=Clients(big, _BIG))
    fcfs = await measured(server, small=Clients(big, _SMALL), big=Clients(big, _BIG))
    server.end()
    whole = fair.rate("small") + fair.rate("big")
    due = min(alone.rate("small"), whole / 2)
    for name, run in (("alone", alone), ("fair", fair), ("first come, first served", fcfs)):
        others = f", big {run.rate('big'):.1f} tokens/s" if "big" in run.tallies else ""
        sys.stdout.write(
            f"\n{name}: small {run.rate('small'):.1f} tokens/s, p95 TTFT {run.ttft_p95_ms('small'):.0f} ms{others}"
        )
    sys.stdout.write(f"\nsmall got {fair.rate('small') / due:.1%} of what is due to it ({due:.1f} tokens/s)\n")
    assert fair.rate("small") >= 0.9 * due
    assert fair.ttft_p95_ms("small") < fcfs.ttft_p95_ms("small")


@pytest.mark.slow
async def test_who_offers_less_than_its_share_gets_all_it_offers(start_server: StartServer) -> None:
    """It sends at a steady pace, whether answers come or not: what it offers does not shrink when it has to wait."""
    server = start_server(engine_slots=str(_SLOTS))
    small, big = await new_user(server, "small@example.com"), await new_user(server, "big@example.com")
    paced = Clients(small, 1, tokens=_TOKENS // 2, every_s=1.0)
    alone = await measured(server, small=paced)
    beside = await measured(server, small=paced, big=Clients(big, _BIG))
    server.end()
    share = (beside.rate("small") + beside.rate("big")) / 2
    due = min(alone.rate("small"), share)
    for name, run in (("alone", alone), ("beside the big one", beside)):
        sys.stdout.write(
            f"\n{name}: small {run.rate('small'):.1f} tokens/s, p95 TTFT {run.ttft_p95_ms('small'):.0f} ms"
        )
    sys.stdout.write(
        f"\nits share would be {share:.1f} tokens/s; it got {beside.rate('small') / due:.1%} of what is due\n"
    )
    assert beside.rate("small") >= 0.9 * due
