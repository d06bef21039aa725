"""Costs are exact; a price is chosen by what it is for and when it came into effect."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.errors import InvalidParameterValue
from openfm.core.ledger import MOST_TOKENS
from openfm.core.price import (
    HIGHEST_AMOUNT,
    MICRO,
    PICO,
    Price,
    PriceUnit,
    Target,
    TargetKind,
    checked_currency,
    micro_of,
    shown_micro,
    shown_pico,
)
from openfm.core.price_book import FREE, PriceBook, cost
from openfm.core.usage import TokenCounts

ENDPOINT, ENTITY = TargetKind.ENDPOINT, TargetKind.ENTITY


@st.composite
def counts(draw: st.DrawFn) -> TokenCounts:
    prompt, completion = draw(st.integers(0, MOST_TOKENS)), draw(st.integers(0, MOST_TOKENS))
    return TokenCounts(prompt, completion, draw(st.integers(0, prompt)), draw(st.integers(0, completion)))


amounts = st.dictionaries(st.sampled_from(PriceUnit), st.integers(0, HIGHEST_AMOUNT * MICRO))


def price_of(
    given_amounts: dict[PriceUnit, int],
    name: str = "*",
    kind: TargetKind = ENDPOINT,
    *,
    since: int = 0,
    version: int = 1,
) -> Price:
    return Price(version, Target(kind, name), "USD", given_amounts, since, 0, "admin")


def plus(one: TokenCounts, other: TokenCounts) -> TokenCounts:
    return TokenCounts(
        one.prompt + other.prompt,
        one.completion + other.completion,
        one.cached + other.cached,
        one.reasoning + other.reasoning,
    )


@given(counts(), counts(), amounts)
def test_the_cost_of_two_requests_is_the_sum_of_their_costs(
    one: TokenCounts, other: TokenCounts, given_amounts: dict[PriceUnit, int]
) -> None:
    price = price_of(given_amounts)
    assert cost(plus(one, other), price) == cost(one, price) + cost(other, price)


@given(counts(), amounts)
def test_a_cost_is_exact_never_negative_and_fits_its_column(
    used: TokenCounts, given_amounts: dict[PriceUnit, int]
) -> None:
    price = price_of(given_amounts)

    def per_million(unit: PriceUnit) -> Decimal:
        return Decimal(price.micro(unit)) / MICRO

    exact = (
        (used.prompt - used.cached) * per_million(PriceUnit.PROMPT)
        + used.cached * per_million(PriceUnit.CACHED)
        + used.completion * per_million(PriceUnit.COMPLETION)
    ) / MICRO
    found = cost(used, price)
    assert Decimal(found) == exact * PICO
    assert found >= 0


@given(counts())
def test_the_highest_price_of_the_most_tokens_fits_64_bits(used: TokenCounts) -> None:
    highest = dict.fromkeys(PriceUnit, HIGHEST_AMOUNT * MICRO)
    assert cost(used, price_of(highest)) < 1 << 63
    assert cost(TokenCounts(MOST_TOKENS, MOST_TOKENS), price_of(highest)) < 1 << 63


@given(st.decimals(0, HIGHEST_AMOUNT, places=6))
def test_an_amount_is_shown_as_it_was_given(amount: Decimal) -> None:
    micro = micro_of(amount, PriceUnit.PROMPT)
    assert Decimal(shown_micro(micro)) == amount
    assert Decimal(shown_pico(micro * MICRO)) == amount
    assert "E" not in shown_micro(micro)


def test_a_reversed_cost_is_shown_with_its_sign() -> None:
    assert [shown_pico(pico) for pico in (-1, 0, PICO, -PICO * 3 // 2)] == ["-0.000000000001", "0", "1", "-1.5"]


@pytest.mark.parametrize(
    "amount", ["-1", "-0.000001", "NaN", "Infinity", "0.0000001", "100000.000001", "1e40", "1." + "0" * 35 + "1"]
)
def test_an_amount_out_of_range_is_refused(amount: str) -> None:
    with pytest.raises(InvalidParameterValue, match="completion"):
        micro_of(Decimal(amount), PriceUnit.COMPLETION)


@pytest.mark.parametrize("currency", [None, "", "usd", "DOLLAR", "US", "U1D", "USD\n", "ZZZ", "XTS"])
def test_a_price_without_a_currency_is_refused(currency: str | None) -> None:
    with pytest.raises(InvalidParameterValue, match="currency"):
        checked_currency(currency)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(ENDPOINT, ""), (ENDPOINT, "a b"), (ENDPOINT, "x" * 64), (ENTITY, "system.ai.*"), (ENTITY, "a/b")],
)
def test_a_target_that_nothing_can_be_called_is_refused(kind: TargetKind, name: str) -> None:
    with pytest.raises(InvalidParameterValue, match=r"catalog\.schema\.model"):
        Target(kind, name)


def test_without_a_price_everything_is_free() -> None:
    assert PriceBook(()).price("chat", "system.ai.smol", 5) is FREE
    assert (FREE.currency, FREE.version, cost(TokenCounts(10, 10, 5), FREE)) == ("DBU", 0, 0)


def test_cached_tokens_cost_what_others_do_unless_they_have_a_price() -> None:
    used = TokenCounts(prompt=10, completion=0, cached=4)
    assert cost(used, price_of({PriceUnit.PROMPT: 100})) == 1000
    assert cost(used, price_of({PriceUnit.PROMPT: 100, PriceUnit.CACHED: 0})) == 600


def test_the_endpoints_own_price_comes_before_its_models_and_that_before_patterns() -> None:
    everything = price_of({}, "*", version=4, since=3)
    pattern = price_of({}, "ch*", version=3, since=2)
    entity = price_of({}, "system.ai.SMOL", ENTITY, version=2, since=1)
    own = price_of({}, "chat", version=1)
    book = PriceBook([everything, pattern, entity, own])
    assert book.price("chat", "system.ai.smol", 9) == own
    assert book.price("chit", "system.ai.smol", 9) == entity
    assert book.price("chit", "system.ai.other", 9) == pattern
    assert book.price("talk", "system.ai.other", 9) == everything


def test_of_prices_in_effect_the_latest_holds_and_of_those_the_newest() -> None:
    first, later, corrected = (price_of({}, version=v, since=s) for v, s in ((1, 10), (2, 20), (3, 20)))
    book = PriceBook([corrected, first, later])
    assert [book.price("chat", "m", at) for at in (9, 10, 19, 20)] == [FREE, first, first, corrected]
