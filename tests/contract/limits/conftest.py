"""Both stores of limits, on a clock that is set by hand; and a real Redis server."""

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest

from openfm.limits.in_process import InProcessLimits
from openfm.limits.redis import RedisOptions, redis_limits
from openfm.limits.store import LimitStore
from tests.contract.limits.redis_server import NoRedis, RedisServer, running_redis

_NUMBERS = itertools.count()


@dataclass
class Clock:
    """Seconds."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    @property
    def us(self) -> int:
        """Microseconds."""
        return round(self.now * 1_000_000)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for all tests. Where there can be none the tests are skipped, but never in CI."""
    try:
        with running_redis() as server:
            yield server
    except NoRedis as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(why))


@pytest.fixture
def prefix() -> str:
    """Nobody counted under it yet."""
    return f"test{next(_NUMBERS)}"


@pytest.fixture
def clock() -> Clock:
    """Stands still unless moved."""
    return Clock()


@pytest.fixture(params=["in_process", "redis"])
async def store(request: pytest.FixtureRequest, clock: Clock, prefix: str) -> AsyncIterator[LimitStore]:
    """Each kind of store, empty."""
    if request.param == "in_process":
        yield InProcessLimits(clock)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    now_us: Callable[[], int] = lambda: clock.us  # noqa: E731
    async with redis_limits(server.url, RedisOptions(prefix, clock_us=now_us)) as limits:
        yield limits
