import pytest

from openfm.core.endpoint import EntitySettings
from openfm.core.usage import TokenCounts
from openfm.scheduling.work import CostWeights, Throughput

WEIGHTS = CostWeights(prompt=0.5, cached_prompt=0.1, completion=1.0)


def test_cached_prompt_tokens_cost_less_than_those_the_engine_reads() -> None:
    assert WEIGHTS.work(TokenCounts(prompt=100, completion=10)) == pytest.approx(60)
    assert WEIGHTS.work(TokenCounts(prompt=100, completion=10, cached=60)) == pytest.approx(36)


def test_an_engine_that_says_more_was_cached_than_there_was_gives_no_credit() -> None:
    assert WEIGHTS.work(TokenCounts(prompt=10, cached=20)) == pytest.approx(1.0)


def test_a_promise_takes_the_replicas_that_keep_it() -> None:
    throughput = Throughput(WEIGHTS, replica=83.0, side_by_side=2)
    assert [throughput.replicas(rate) for rate in (0, 1, 60, 83, 83.5, 170)] == [0, 1, 1, 1, 2, 3]


def test_tokens_a_second_and_units_are_two_ways_to_say_what_was_provisioned() -> None:
    throughput = Throughput(WEIGHTS, replica=83.0)
    assert throughput.promised(EntitySettings(provisioned_model_units=3)) == 60
    assert throughput.promised(EntitySettings(max_provisioned_throughput=60)) == 60
    assert throughput.promised(EntitySettings()) == 0


def test_a_machine_is_sold_in_whole_chunks_of_what_its_replicas_keep() -> None:
    throughput = Throughput(WEIGHTS, replica=83.0, side_by_side=2)
    assert (throughput.machine, throughput.chunk, throughput.chunks()) == (166, 20, 8)
    assert (throughput.chunks(0.5), throughput.chunks(0.1), throughput.chunks(0)) == (4, 0, 0)


def test_a_replica_of_nothing_promises_nothing() -> None:
    with pytest.raises(ValueError, match="replica"):
        Throughput(WEIGHTS, replica=0)
