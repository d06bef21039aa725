"""The price book: which price a request has, and what it costs."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from openfm.core.price import DBU, Price, PriceUnit, Target, TargetKind
from openfm.core.usage import TokenCounts

FREE = Price(0, Target(TargetKind.ENDPOINT, "*"), DBU, MappingProxyType({}), 0, 0, "")
"""What holds where no price was set: nothing, in DBU."""


def cost(counts: TokenCounts, price: Price) -> int:
    """What these tokens cost, in 10^-12 of the price's currency: exact, since amounts are 10^-6 for 10^6 tokens.

    Cached tokens are part of the prompt and pay their own price instead.
    """
    return (
        (counts.prompt - counts.cached) * price.micro(PriceUnit.PROMPT)
        + counts.cached * price.micro(PriceUnit.CACHED)
        + counts.completion * price.micro(PriceUnit.COMPLETION)
    )


def token_price(price: Price, *, is_provisioned: bool) -> Price:
    """What a request's tokens cost: nothing where provisioned throughput answered it, which is billed by its hours."""
    return replace(FREE, currency=price.currency) if is_provisioned else price


class PriceBook:
    """Every price that was ever set. Immutable: a later setting makes another book."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self.prices = tuple(sorted(prices, key=_precedence, reverse=True))
        self._candidates = cache(self._candidates_of)

    def price(self, endpoint_name: str, entity_name: str, at_us: int) -> Price:
        """The price of a request that was received then; `FREE` where none holds."""
        for price in self._candidates(endpoint_name, entity_name):
            if price.effective_from_us <= at_us:
                return price
        return FREE

    def _candidates_of(self, endpoint_name: str, entity_name: str) -> tuple[Price, ...]:
        return tuple(price for price in self.prices if price.target.covers(endpoint_name, entity_name))


def _precedence(price: Price) -> tuple[tuple[int, int], int, int]:
    return price.target.rank, price.effective_from_us, price.version
