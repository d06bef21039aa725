"""Dynamic batching: whatever waits while one run is on goes into the next."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openfm.engines.onnx_model import pick_batch

RunBatch = Callable[[Sequence[Sequence[int]]], list[bytes]]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    ids: list[int]
    answer: asyncio.Future[bytes]


class Batcher:
    """Runs sequences through a blocking model in a thread, a bounded batch at a time.

    A caller that is cancelled takes its sequences out of the queue before they cost anything.
    """

    def __init__(self, run: RunBatch, token_budget: int) -> None:
        self._run = run
        self._token_budget = token_budget
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self.running = 0
        self.tokens_total = 0

    @property
    def waiting(self) -> int:
        """Sequences in the queue."""
        return len(self._waiting)

    async def embed(self, inputs: Sequence[list[int]]) -> list[bytes]:
        """One vector a sequence, in order."""
        loop = asyncio.get_running_loop()
        mine = [_Waiting(ids, loop.create_future()) for ids in inputs]
        self._waiting.extend(mine)
        self._arrived.set()
        try:
            return list(await asyncio.gather(*(item.answer for item in mine)))
        finally:
            for item in mine:
                item.answer.cancel()

    async def serve(self) -> None:
        """Run batches until cancelled."""
        while True:
            await self._arrived.wait()
            self._waiting = [item for item in self._waiting if not item.answer.done()]
            batch = self._take()
            if not batch:
                self._arrived.clear()
                continue
            await self._run_one(batch)

    def _take(self) -> list[_Waiting]:
        chosen = pick_batch([len(item.ids) for item in self._waiting], self._token_budget)
        batch = [self._waiting[index] for index in chosen]
        taken = set(chosen)
        self._waiting = [item for index, item in enumerate(self._waiting) if index not in taken]
        return batch

    async def _run_one(self, batch: list[_Waiting]) -> None:
        self.running = len(batch)
        run = asyncio.ensure_future(asyncio.to_thread(self._run, [item.ids for item in batch]))
        await asyncio.wait({run})
        self.running = 0
        asked = [(index, item.answer) for index, item in enumerate(batch) if not item.answer.done()]
        if (error := run.exception()) is not None:  # its callers get it, and the next batch runs
            for _, answer in asked:
                answer.set_exception(error)
            return
        self.tokens_total += sum(len(item.ids) for item in batch)
        vectors = run.result()
        for index, answer in asked:
            answer.set_result(vectors[index])
