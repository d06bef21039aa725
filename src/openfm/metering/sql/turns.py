"""Who may ask DuckDB now: one question of each caller at a time, and so many in all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openfm.core.errors import Unavailable

_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    caller_id: str
    admitted: asyncio.Future[None]


class Turns:
    """`at_once` questions are answered at a time; one that waits longer than `longest_wait_s` is refused.

    A place goes to the caller who has waited longest since its last one, so nobody's many questions keep another out.
    For one event loop.
    """

    def __init__(self, at_once: int = 4, longest_wait_s: float = 30.0) -> None:
        self._at_once = at_once
        self._longest_wait_s = longest_wait_s
        self._waiting: list[_Waiting] = []
        self._busy: set[str] = set()
        self._last_turn: dict[str, int] = {}
        self._given = 0

    @asynccontextmanager
    async def turn(self, caller_id: str) -> AsyncIterator[None]:
        """The caller's turn, as long as this is open. Raises `Unavailable` when it does not come in time."""
        mine = _Waiting(caller_id, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._admit()
        try:
            await self._admitted(mine)
            yield
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                self._busy.discard(caller_id)
            self._admit()

    async def _admitted(self, mine: _Waiting) -> None:
        try:
            async with asyncio.timeout(self._longest_wait_s):
                await mine.admitted
        except TimeoutError:
            raise Unavailable(
                "Too many questions are being answered, of yours or of others. Ask again shortly.",
                retry_after_s=_RETRY_S,
            ) from None

    def _admit(self) -> None:
        while len(self._busy) < self._at_once:
            free = [one for one in self._waiting if one.caller_id not in self._busy and not one.admitted.done()]
            if not free:
                return
            first = min(free, key=lambda one: self._last_turn.get(one.caller_id, 0))
            self._given += 1
            self._last_turn[first.caller_id] = self._given
            self._busy.add(first.caller_id)
            self._waiting.remove(first)
            first.admitted.set_result(None)
