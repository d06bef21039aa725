"""Where counts are kept: in this process, or shared by several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from openfm.core.errors import RateLimited
from openfm.core.limits import Claim, Measure, Standing

PLACE_WAIT_S = 1.0
"""What one who found no place for one more concurrent request is told to wait: when one ends, nobody knows."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """All claims of one request, admitted together.

    `marks` has for each the tick that it counts in, or for CONCURRENCY its lease; `standings` how its limit stands.
    """

    claims: Sequence[Claim]
    marks: Sequence[str | int]
    standings: Sequence[Standing]


class LimitStore(Protocol):
    """Counts. Claims of one call have different keys."""

    async def reserve(self, claims: Sequence[Claim]) -> Reservation:
        """Admit all claims at once, or none.

        Raises `RateLimited`: after its `retry_after_s` they are admitted, other load being equal; for a claim above its
        limit, after that nothing is used.
        """
        ...

    async def settle(self, reservation: Reservation, used: Mapping[Measure, int]) -> None:
        """The request left, and used so much: the rest is given back; what it used beyond is counted too."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one claim fared: what was used before it, and the seconds to wait for it, 0 where it fits."""

    claim: Claim
    used: int
    wait_s: float
    reset_s: float

    @property
    def is_admitted(self) -> bool:
        """Whether it fits."""
        return self.used + self.claim.amount <= self.claim.limit.amount

    def standing(self, taken: int) -> Standing:
        """How the limit stands when so much was taken."""
        return Standing(self.claim.limit, self.used + taken, self.reset_s)


def refusal(verdicts: Sequence[Verdict]) -> RateLimited:
    """The error that names the limit which binds longest."""
    binding = max((verdict for verdict in verdicts if not verdict.is_admitted), key=lambda verdict: verdict.wait_s)
    limit, claim = binding.claim.limit, binding.claim
    if limit.measure is Measure.CONCURRENCY:
        said = "Try again when one of them has ended."
    else:
        asked = "" if claim.amount == 1 or claim.amount > limit.amount else f"This request may need {claim.amount}. "
        said = f"{asked}There is room in {binding.wait_s:.1f} s."
    return RateLimited(
        f"The limit of {limit.words} is reached: {binding.used} are used. {said}",
        retry_after_s=binding.wait_s,
        standings=[verdict.standing(0) for verdict in verdicts],
        measure=limit.measure,
    )
