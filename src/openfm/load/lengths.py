"""How long prompts and answers are."""

import math
import random
import re
from dataclasses import dataclass
from typing import Protocol

from openfm.core.errors import InvalidParameterValue

_LONGEST = 10_000_000
_FORMS = "128 · uniform:64-256 · lognormal:128,0.5 (median, sigma)"
_FIXED = re.compile(r"(?:fixed:)?(\d+)")
_UNIFORM = re.compile(r"uniform:(\d+)-(\d+)")
_LOGNORMAL = re.compile(r"lognormal:(\d+),(\d+(?:\.\d+)?)")


class Lengths(Protocol):
    """A distribution of token counts."""

    def draw(self, chance: random.Random) -> int:
        """One length, from 1."""
        ...

    @property
    def mean(self) -> float:
        """What many draws come to on average."""
        ...


@dataclass(frozen=True, slots=True)
class FixedLength:
    """Always the same."""

    tokens: int

    def __post_init__(self) -> None:
        """Refuse what no request has."""
        _check(self.tokens)

    def draw(self, chance: random.Random) -> int:
        """See `Lengths.draw`."""
        del chance
        return self.tokens

    @property
    def mean(self) -> float:
        """See `Lengths.mean`."""
        return float(self.tokens)


@dataclass(frozen=True, slots=True)
class UniformLength:
    """Every length from `fewest` to `most` as likely as another."""

    fewest: int
    most: int

    def __post_init__(self) -> None:
        """Refuse what no request has."""
        _check(self.fewest)
        _check(self.most)
        if self.most < self.fewest:
            raise InvalidParameterValue(f"The lengths {self.fewest}-{self.most} run backwards.", param="tokens")

    def draw(self, chance: random.Random) -> int:
        """See `Lengths.draw`."""
        return chance.randint(self.fewest, self.most)

    @property
    def mean(self) -> float:
        """See `Lengths.mean`."""
        return (self.fewest + self.most) / 2


@dataclass(frozen=True, slots=True)
class LognormalLength:
    """Many short, few very long, as conversations are: half are below `median`; `sigma` is that of the logarithm.

    Nothing above `median * e^(4 sigma)`: a single draw in 30,000 would otherwise decide a run.
    """

    median: int
    sigma: float

    def __post_init__(self) -> None:
        """Refuse what no request has."""
        _check(self.median)
        if not 0 <= self.sigma <= 3:
            raise InvalidParameterValue(f"sigma is {self.sigma}; it must be 0 to 3.", param="tokens")

    def draw(self, chance: random.Random) -> int:
        """See `Lengths.draw`."""
        deviation = min(4.0, chance.gauss(0.0, 1.0))
        return max(1, round(self.median * math.exp(self.sigma * deviation)))

    @property
    def mean(self) -> float:
        """See `Lengths.mean`."""
        return self.median * math.exp(self.sigma**2 / 2)


def parse_lengths(text: str) -> Lengths:
    """The distribution that `text` writes. Raises `InvalidParameterValue` with the forms there are."""
    if found := _FIXED.fullmatch(text):
        return FixedLength(int(found[1]))
    if found := _UNIFORM.fullmatch(text):
        return UniformLength(int(found[1]), int(found[2]))
    if found := _LOGNORMAL.fullmatch(text):
        return LognormalLength(int(found[1]), float(found[2]))
    raise InvalidParameterValue(f"'{text[:40]}' is no length of tokens. Write one of: {_FORMS}.", param="tokens")


def _check(tokens: int) -> None:
    if not 1 <= tokens <= _LONGEST:
        raise InvalidParameterValue(f"A length is {tokens} tokens; it must be 1 to {_LONGEST}.", param="tokens")
