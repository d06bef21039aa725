"""Chores are done again and again, whatever becomes of one of them."""

import asyncio

from openfm.server.housekeeping import housekeeping


async def test_a_chore_that_fails_keeps_neither_the_others_nor_itself_from_being_done() -> None:
    done: list[str] = []
    turns = asyncio.Semaphore(2)
    is_over = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        if turns.locked():
            is_over.set()
        await turns.acquire()

    def fail() -> None:
        done.append("failed")
        raise OSError("the disk is away")

    work = asyncio.create_task(housekeeping((fail, lambda: done.append("done")), sleep))
    async with asyncio.timeout(10):
        await is_over.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert done == ["failed", "done"] * 2
