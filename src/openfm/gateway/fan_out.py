"""Several event streams as one, in the order in which they speak."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from openfm.core.chat import Event


async def fan_out(
    streams: Sequence[AsyncGenerator[Event, None]], at_once: int
) -> AsyncGenerator[tuple[int, Event], None]:
    """Yield (index of the stream, event), running up to `at_once` streams at a time.

    The first error ends all. Closing this generator closes every stream before it returns.
    """
    if len(streams) == 1:
        async with aclosing(streams[0]) as events:
            async for event in events:
                yield 0, event
        return
    queue: asyncio.Queue[tuple[int, Event] | None] = asyncio.Queue(maxsize=2 * at_once)
    places = asyncio.Semaphore(at_once)
    tasks = [asyncio.create_task(_forward(i, s, places, queue)) for i, s in enumerate(streams)]
    end = asyncio.create_task(_end(tasks, queue))
    try:
        while (item := await queue.get()) is not None:
            yield item
        await end
    finally:
        for task in (*tasks, end):
            task.cancel()
        await asyncio.gather(*tasks, end, return_exceptions=True)
        for stream in streams:
            await stream.aclose()


async def _forward(
    index: int,
    stream: AsyncGenerator[Event, None],
    places: asyncio.Semaphore,
    queue: asyncio.Queue[tuple[int, Event] | None],
) -> None:
    async with places, aclosing(stream) as events:
        async for event in events:
            await queue.put((index, event))


async def _end(tasks: Sequence[asyncio.Task[None]], queue: asyncio.Queue[tuple[int, Event] | None]) -> None:
    """Say when all is over, or as soon as one stream failed; the failure is raised here."""
    try:
        for finished in asyncio.as_completed(tasks):
            await finished
    finally:
        await queue.put(None)
