"""Which store of limits a server has: its own, or one in Redis that several gateways share."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module

from openfm.core.errors import InvalidParameterValue
from openfm.limits.in_process import InProcessLimits
from openfm.limits.store import LimitStore


@asynccontextmanager
async def open_limits(url: str | None, clock: Callable[[], float]) -> AsyncIterator[LimitStore]:
    """Counts in Redis or Valkey at `url` (redis://, rediss:// with TLS, unix://); without one, in this process.

    `clock` is that of this process, monotonic seconds. Raises `InvalidParameterValue` for a URL of another kind, or
    where the package is missing.
    """
    if url is None:
        yield InProcessLimits(clock)
        return
    try:
        module = import_module("openfm.limits.redis")  # by name: its package is an extra
    except ModuleNotFoundError as error:
        raise InvalidParameterValue(
            f"Limits in Redis need the package {error.name}. Install it: pip install 'openfm[valkey]'."
        ) from None
    async with module.redis_limits(url) as store:
        yield store
