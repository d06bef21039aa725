"""Where counts are kept, by the operator's choice."""

import importlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from openfm.core.errors import InvalidParameterValue
from openfm.limits.in_process import InProcessLimits
from openfm.limits.store import LimitStore


class CannotShareLimits(Exception):  # the message is for people
    """The server that is to keep the counts cannot be used."""


@asynccontextmanager
async def open_limits(url: str | None) -> AsyncIterator[LimitStore]:
    """Counts in the Redis-compatible server at `url`, for all gateways; without one, in this process.

    Raises `CannotShareLimits` for a URL of another kind, or without the client's package, which is an extra.
    """
    if url is None:
        yield InProcessLimits(time.monotonic)
        return
    try:
        shared = importlib.import_module("openfm.limits.redis")
    except ModuleNotFoundError as error:
        raise CannotShareLimits(
            f"Shared limits need the package {error.name}. Install it: pip install 'openfm[valkey]'."
        ) from None
    async with AsyncExitStack() as stack:
        try:
            limits: LimitStore = await stack.enter_async_context(shared.redis_limits(url))
        except InvalidParameterValue as error:
            raise CannotShareLimits(error.message) from None
        yield limits
