"""Runs scripts in Redis, those of many callers in one round trip: one at a time, each would cost its gateway 0.1 ms."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "reserve": "windows",
        "settle": "windows",
        "renew": "windows",
        "budget_take": "money",
        "budget_settle": "money",
        "budget_book": "money",
    }
)
"""The scripts, and with what file each begins."""

_MOST_AT_ONCE = 64

Argument = str | int


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    keys: Sequence[str]
    arguments: Sequence[Argument]
    answer: asyncio.Future[list[int]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, result: object) -> None:
        if self.answer.done():  # nobody waits any more
            return
        if isinstance(result, BaseException):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(cast("list[int]", result))


class Scripts:
    """Runs the scripts of this folder, in the order of the calls. `client` must try nothing again by itself."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[_Call] = []
        self._sending: asyncio.Task[None] | None = None
        self._digests: dict[str, str] = {}

    def call(self, name: str, keys: Sequence[str], arguments: Sequence[Argument]) -> asyncio.Future[list[int]]:
        """Run a script soon. Its future raises `RedisError` or `OSError`; the script may have run all the same."""
        call = _Call(name, keys, arguments)
        self._waiting.append(call)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return call.answer

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._sending is not None:
            await asyncio.wait([self._sending])

    async def _send(self) -> None:
        try:
            while self._waiting:
                calls, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                await self._run(calls)
        finally:
            self._sending = None

    async def _run(self, calls: Sequence[_Call]) -> None:
        try:
            results = await self._results(calls)
        except (RedisError, OSError) as error:
            for call in calls:
                call.end(error)
            return
        for call, result in zip(calls, results, strict=True):
            call.end(result)

    async def _results(self, calls: Sequence[_Call]) -> list[object]:
        if not self._digests:
            await self._load()
        results = await self._round_trip(calls)
        unknown = [n for n, result in enumerate(results) if isinstance(result, NoScriptError)]
        if unknown:  # the server is another, or began anew; these calls did not run
            await self._load()
            for n, result in zip(unknown, await self._round_trip([calls[n] for n in unknown]), strict=True):
                results[n] = result
        return results

    async def _round_trip(self, calls: Sequence[_Call]) -> list[object]:
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("EVALSHA", self._digests[call.name], len(call.keys), *call.keys, *call.arguments)
        return cast("list[object]", await pipeline.execute(raise_on_error=False))

    async def _load(self) -> None:
        folder = resources.files("openfm.limits")
        for name, beginning in SCRIPTS.items():
            text = "".join((folder / f"{part}.lua").read_text() for part in (beginning, name))
            self._digests[name] = str(await self._client.script_load(text))
