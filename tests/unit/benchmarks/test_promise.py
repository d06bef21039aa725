import pytest

from benchmarks._open_loop import Answer, figures


def test_times_count_from_when_a_request_was_due_and_tokens_within_the_phase() -> None:
    quick = Answer(10.0, 200, [10.1, 10.2, 10.3])
    other = Answer(10.0, 200, [10.1, 10.2, 10.3])
    slow = Answer(11.0, 200, [14.0, 21.0])
    refused, waiting = Answer(12.0, 429), Answer(19.0)
    found = figures([quick, other, slow, refused, waiting], began=10.0, seconds=10.0)
    assert (found.requests, found.answered, found.refused) == (5, 3, 1)
    assert found.tokens_per_s == pytest.approx(0.7)
    assert found.ttft_p95_ms == pytest.approx(3000)
    assert found.tpot_p50_ms == pytest.approx(100)
    assert found.tpot_p99_ms == pytest.approx(7000)


def test_a_phase_without_answers_has_no_percentiles() -> None:
    found = figures([Answer(0.0)], began=0.0, seconds=1.0)
    assert found.ttft_p95_ms != found.ttft_p95_ms
    assert found.tokens_per_s == 0
