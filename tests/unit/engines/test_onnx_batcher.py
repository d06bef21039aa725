import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from openfm.engines.onnx_batcher import Batcher


class Model:
    """Answers with the ids as bytes; keeps what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[list[int]]] = []

    def run(self, batch: Sequence[Sequence[int]]) -> list[bytes]:
        self.batches.append([list(ids) for ids in batch])
        if any(13 in ids for ids in batch):
            raise ValueError("unlucky")
        return [bytes(ids) for ids in batch]


@asynccontextmanager
async def serving(batcher: Batcher) -> AsyncIterator[None]:
    task = asyncio.create_task(batcher.serve())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_waits_together_runs_together_and_answers_keep_their_order() -> None:
    model = Model()
    batcher = Batcher(model.run, token_budget=100)
    first = asyncio.create_task(batcher.embed([[1], [2, 2]]))
    second = asyncio.create_task(batcher.embed([[3]]))
    await asyncio.sleep(0)
    async with serving(batcher):
        assert await first == [b"\x01", b"\x02\x02"]
        assert await second == [b"\x03"]
    assert len(model.batches) == 1
    assert batcher.tokens_total == 4


async def test_a_cancelled_caller_costs_nothing() -> None:
    model = Model()
    batcher = Batcher(model.run, token_budget=1)
    gone = asyncio.create_task(batcher.embed([[1]] * 50))
    stays = asyncio.create_task(batcher.embed([[2]]))
    await asyncio.sleep(0)
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    async with serving(batcher):
        assert await stays == [b"\x02"]
    assert model.batches == [[[2]]]


async def test_a_batch_that_fails_does_not_stop_the_next() -> None:
    batcher = Batcher(Model().run, token_budget=1)
    async with serving(batcher):
        with pytest.raises(ValueError, match="unlucky"):
            await batcher.embed([[13]])
        assert await batcher.embed([[1]]) == [b"\x01"]
