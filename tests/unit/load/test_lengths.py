"""How long prompts and answers are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.errors import InvalidParameterValue
from openfm.load.lengths import parse_lengths
from openfm.load.prompts import random_prompt, shared_prefix


@given(seed=st.integers(0, 99))
def test_a_fixed_length_never_varies(seed: int) -> None:
    assert parse_lengths("128").draw(random.Random(seed)) == parse_lengths("fixed:128").draw(random.Random(0)) == 128


@pytest.mark.parametrize("text", ["64", "uniform:10-90", "lognormal:100,0.6"])
def test_draws_come_to_the_mean_and_are_never_below_one(text: str) -> None:
    lengths, chance = parse_lengths(text), random.Random(3)
    drawn = [lengths.draw(chance) for _ in range(20_000)]
    assert min(drawn) >= 1
    assert sum(drawn) / len(drawn) == pytest.approx(lengths.mean, rel=0.03)


def test_half_of_lognormal_draws_are_below_the_median_and_none_endless() -> None:
    lengths, chance = parse_lengths("lognormal:100,1"), random.Random(5)
    drawn = [lengths.draw(chance) for _ in range(20_000)]
    assert sum(length < 100 for length in drawn) / len(drawn) == pytest.approx(0.5, abs=0.02)
    assert max(drawn) <= 100 * 2.7183**4 + 1


@pytest.mark.parametrize("text", ["", "0", "-4", "uniform:9-3", "lognormal:5,9", "normal:3", "99999999999", "1.5"])
def test_what_is_no_length_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(InvalidParameterValue):
        parse_lengths(text)


def test_prompts_share_their_prefix_and_nothing_after_it() -> None:
    chance = random.Random(1)
    shared = shared_prefix(20, chance)
    one, two = (random_prompt(60, chance, shared) for _ in range(2))
    assert one.startswith(shared)
    assert two.startswith(shared)
    assert len(one.split()) == len(two.split()) == 60
    assert one.split()[20:30] != two.split()[20:30]
