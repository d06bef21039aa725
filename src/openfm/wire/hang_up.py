"""Work that is for one client, and ends when that client hangs up; for both planes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class ClientGone(Exception):  # no error: nobody is left to tell
    """The client hung up."""


async def until_hang_up(receive: Callable[[], Awaitable[Any]], work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run `work` to its end, or cancel it when the client hangs up; `receive` is ASGI's, its body read already.

    Raises its error, or `ClientGone`.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        has_finished = working.done()
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
    if not has_finished:
        raise ClientGone
    return working.result()


async def _disconnected(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
