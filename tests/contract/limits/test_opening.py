"""Which store a server gets."""

import pytest

from openfm.core.errors import InvalidParameterValue
from openfm.limits.in_process import InProcessLimits
from openfm.limits.opening import open_limits
from openfm.limits.redis import RedisLimits
from tests.contract.limits.conftest import Clock
from tests.contract.limits.redis_server import RedisServer


async def test_without_a_url_counts_are_kept_in_the_process(clock: Clock) -> None:
    async with open_limits(None, clock) as store:
        assert isinstance(store, InProcessLimits)


async def test_a_url_leads_to_a_shared_store(redis_server: RedisServer, clock: Clock) -> None:
    async with open_limits(redis_server.url, clock) as store:
        assert isinstance(store, RedisLimits)


@pytest.mark.parametrize("url", ["http://localhost", "somewhere", "redis://host:port/0"])
async def test_another_kind_of_url_is_refused(url: str, clock: Clock) -> None:
    with pytest.raises(InvalidParameterValue, match="URL of the limits"):
        async with open_limits(url, clock):
            pass
