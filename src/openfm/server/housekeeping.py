"""What is left over while the server runs is removed while it runs, not only at its next start."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from openfm.telemetry.survival import survived

_EVERY_S = 60.0

Chore = Callable[[], None]
"""Removes what is not needed any more. Blocks."""


async def housekeeping(chores: Sequence[Chore], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Do every chore once a minute; what one cannot do now it does the next time."""
    while True:
        await sleep(_EVERY_S)
        for chore in chores:
            with survived("housekeeping.failed"):
                await asyncio.to_thread(chore)
