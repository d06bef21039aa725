"""Which store a server gets."""

import pytest

from openfm.limits.budget_redis import RedisBudgets
from openfm.limits.budget_store import InProcessBudgets
from openfm.limits.in_process import InProcessLimits
from openfm.limits.opening import CannotShareLimits, open_counts
from openfm.limits.redis import RedisLimits
from tests.contract.limits.redis_server import RedisServer


async def test_without_a_url_counts_are_kept_in_the_process() -> None:
    async with open_counts(None) as counts:
        assert isinstance(counts.limits, InProcessLimits)
        assert isinstance(counts.budgets, InProcessBudgets)


async def test_a_url_leads_to_a_shared_store(redis_server: RedisServer) -> None:
    async with open_counts(redis_server.url) as counts:
        assert isinstance(counts.limits, RedisLimits)
        assert isinstance(counts.budgets, RedisBudgets)


@pytest.mark.parametrize("url", ["http://localhost", "somewhere", "redis://host:s3cret/0"])
async def test_another_kind_of_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(CannotShareLimits, match="URL of the limits") as refused:
        async with open_counts(url):
            pass
    assert "s3cret" not in str(refused.value)
