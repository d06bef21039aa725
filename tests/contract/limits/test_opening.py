"""Which store a server gets."""

import pytest

from openfm.limits.in_process import InProcessLimits
from openfm.limits.opening import CannotShareLimits, open_limits
from openfm.limits.redis import RedisLimits
from tests.contract.limits.redis_server import RedisServer


async def test_without_a_url_counts_are_kept_in_the_process() -> None:
    async with open_limits(None) as store:
        assert isinstance(store, InProcessLimits)


async def test_a_url_leads_to_a_shared_store(redis_server: RedisServer) -> None:
    async with open_limits(redis_server.url) as store:
        assert isinstance(store, RedisLimits)


@pytest.mark.parametrize("url", ["http://localhost", "somewhere", "redis://host:s3cret/0"])
async def test_another_kind_of_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(CannotShareLimits, match="URL of the limits") as refused:
        async with open_limits(url):
            pass
    assert "s3cret" not in str(refused.value)
