"""Tokens by the time in which they were worked on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.load.outcome import Outcome
from openfm.load.window import worked_within

ANSWER = Outcome(0.0, 0.0, 10.0, 2.0, prompt_tokens=100, cached_tokens=20, completion_tokens=80)


def test_a_prompt_counts_before_the_first_token_and_the_answer_after_it() -> None:
    worked = worked_within([ANSWER], 1.0, 6.0)
    assert (worked.prompt, worked.cached, worked.completion) == pytest.approx((40.0, 10.0, 40.0))


def test_a_failed_answer_was_no_work() -> None:
    assert worked_within([Outcome(0.0, 0.0, 5.0, error="429")], 0, 10).completion == 0


@given(cut=st.floats(-1.0, 12.0), first=st.floats(0.0, 10.0))
def test_windows_side_by_side_have_what_one_over_both_has(cut: float, first: float) -> None:
    answer = Outcome(0.0, 0.0, 10.0, first, prompt_tokens=100, completion_tokens=80)
    before, after = worked_within([answer], -2.0, cut), worked_within([answer], cut, 13.0)
    assert before.prompt + after.prompt == pytest.approx(100)
    assert before.completion + after.completion == pytest.approx(80)
