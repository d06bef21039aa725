"""Streams that are asked for at their time, whether or not earlier ones are done; times count from that time."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from benchmarks.gateway_overhead import percentile

_OK, _TOO_MANY = 200, 429


@dataclass(frozen=True, slots=True)
class Ask:
    """A chat endpoint of a server, and the length of its answers in tokens."""

    url: str
    token: str
    endpoint: str
    tokens: int


@dataclass(slots=True)
class Answer:
    """One request: `due_s` when it was to be sent, the times at which tokens came, its status (0: not answered).

    A refusal took `refused_s`; after `retry_after_s` it was sent `again`, if there was time.
    """

    due_s: float
    status: int = 0
    times_s: list[float] = field(default_factory=list)
    refused_s: float = 0.0
    retry_after_s: float = 0.0
    again: "Answer | None" = None

    @property
    def ttft_s(self) -> float:
        """From the time it was due to the first token."""
        return self.times_s[0] - self.due_s

    @property
    def tpot_s(self) -> float:
        """(last token - first token) / (tokens - 1)."""
        return (self.times_s[-1] - self.times_s[0]) / (len(self.times_s) - 1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a phase came to; `tokens_per_s` counts tokens that came within it."""

    requests: int
    answered: int
    refused: int
    tokens_per_s: float
    ttft_p95_ms: float
    tpot_p50_ms: float
    tpot_p99_ms: float


async def constant(ask: Ask, per_s: float, seconds: float, began: float) -> list[Answer]:
    """One request every 1/per_s from `began` (monotonic) on, for so long; whatever runs at the end is broken off."""
    count = max(1, int(per_s * seconds))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = []
        answers = [Answer(began + number / per_s) for number in range(count)]
        for number, answer in enumerate(answers):
            await asyncio.sleep(max(0.0, answer.due_s - time.monotonic()))
            tasks.append(asyncio.create_task(_stream(session, ask, answer, number)))
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        await _broken_off(tasks)
    return answers


async def persistent(ask: Ask, per_s: float, seconds: float, began: float) -> list[Answer]:
    """As `constant`, but who is refused sends the same request again when it was told to, once."""
    count = max(1, int(per_s * seconds))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(answer: Answer, number: int) -> None:
            await _stream(session, ask, answer, number)
            if answer.status == _TOO_MANY:
                await asyncio.sleep(answer.retry_after_s)
                answer.again = Answer(time.monotonic())
                await _stream(session, ask, answer.again, number)

        answers = [Answer(began + number / per_s) for number in range(count)]
        tasks = []
        for number, answer in enumerate(answers):
            await asyncio.sleep(max(0.0, answer.due_s - time.monotonic()))
            tasks.append(asyncio.create_task(one(answer, number)))
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        await _broken_off(tasks)
    return answers


async def saturated(ask: Ask, callers: int, seconds: float, began: float) -> list[Answer]:
    """So many callers, each of whom asks again when answered."""
    answers: list[Answer] = []

    async def caller(session: aiohttp.ClientSession, number: int) -> None:
        while True:
            answer = Answer(time.monotonic())
            answers.append(answer)
            await _stream(session, ask, answer, number * 10_000 + len(answers))
            if answer.status != _OK:
                await asyncio.sleep(0.2)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = [asyncio.create_task(caller(session, number)) for number in range(callers)]
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        await _broken_off(tasks)
    return answers


def figures(answers: Sequence[Answer], began: float, seconds: float) -> Figures:
    """Over the phase that began then. Percentiles are of answers that were whole, or had begun when it ended."""
    begun = [one for one in answers if one.times_s]
    paced = [one for one in begun if len(one.times_s) > 1]
    came = sum(1 for one in answers for at in one.times_s if at <= began + seconds)
    nan = float("nan")
    return Figures(
        requests=len(answers),
        answered=len(begun),
        refused=sum(one.status not in (0, _OK) for one in answers),
        tokens_per_s=came / seconds,
        ttft_p95_ms=1000 * percentile([one.ttft_s for one in begun], 0.95) if begun else nan,
        tpot_p50_ms=1000 * percentile([one.tpot_s for one in paced], 0.5) if paced else nan,
        tpot_p99_ms=1000 * percentile([one.tpot_s for one in paced], 0.99) if paced else nan,
    )


async def _stream(session: aiohttp.ClientSession, ask: Ask, answer: Answer, number: int) -> None:
    body = {
        "messages": [{"role": "user", "content": f"Number {number}: tell me about the sea, the wind and the weather."}],
        "max_tokens": ask.tokens,
        "ignore_eos": True,
        "stream": True,
    }
    headers = {"Authorization": f"Bearer {ask.token}"}
    sent = time.monotonic()
    try:
        url = f"{ask.url}/serving-endpoints/{ask.endpoint}/invocations"
        async with session.post(url, json=body, headers=headers) as response:
            answer.status = response.status
            if response.status != _OK:
                answer.refused_s = time.monotonic() - sent
                answer.retry_after_s = float(response.headers.get("retry-after-ms", "0")) / 1000
                return
            async for line in response.content:
                if line.startswith(b"data: {") and _has_text(line[6:]):
                    answer.times_s.append(time.monotonic())
    except aiohttp.ClientError:
        answer.status = -1


def _has_text(line: bytes) -> bool:
    choices = json.loads(line).get("choices") or [{}]
    return bool(choices[0].get("delta", {}).get("content"))


async def _broken_off(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
