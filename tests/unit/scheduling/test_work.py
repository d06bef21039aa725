import pytest

from openfm.core.usage import TokenCounts
from openfm.scheduling.work import CostWeights, Throughput

WEIGHTS = CostWeights(prompt=0.5, cached_prompt=0.1, completion=1.0)


def test_cached_prompt_tokens_cost_less_than_those_the_engine_reads() -> None:
    assert WEIGHTS.work(TokenCounts(prompt=100, completion=10)) == pytest.approx(60)
    assert WEIGHTS.work(TokenCounts(prompt=100, completion=10, cached=60)) == pytest.approx(36)


def test_an_engine_that_says_more_was_cached_than_there_was_gives_no_credit() -> None:
    assert WEIGHTS.work(TokenCounts(prompt=10, cached=20)) == pytest.approx(1.0)


def test_a_unit_is_the_work_of_a_minute() -> None:
    throughput = Throughput(WEIGHTS, chunk=40.0)
    assert throughput.rate(3) == 120
    assert throughput.units(120) == 3
    assert throughput.work_per_minute(1) == 2400


def test_a_chunk_of_nothing_promises_nothing() -> None:
    with pytest.raises(ValueError, match="chunk"):
        Throughput(WEIGHTS, chunk=0)
