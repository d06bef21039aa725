"""Work beside the requests."""

import asyncio
import gc
from collections.abc import Coroutine

import structlog

from openfm.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_LAG_INTERVAL_S = 0.25
_OBJECTS_PER_COLLECTION = 50_000


async def measure_lag(metrics: Metrics) -> None:
    """How late the loop comes to a timer: what blocks it shows here."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_INTERVAL_S
        await asyncio.sleep(_LAG_INTERVAL_S)
        metrics.observe_loop_lag(max(0.0, loop.time() - due))


def started(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
    """Work beside the requests; what ends it is logged when it does."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("background.ended", task=task.get_name(), exc_info=error)


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    """End them all; what ended one before is in the log."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def keep_what_is_here() -> None:
    """Take modules, routes and models out of garbage collection, and collect more seldom.

    A full collection looked at all of them and stopped every stream for 150 ms, at each fifth list of 500 endpoints.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION, *gc.get_threshold()[1:])
