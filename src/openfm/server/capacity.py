"""How much of the machine is promised, and whether one more promise can be kept."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.scheduling.capacity import Account, Amounts, Refusal
from openfm.scheduling.profile import ThroughputProfile
from openfm.server.promises import Profiles

_WHOLE = Amounts(units=1.0)
"""One machine: what a model does on it at most takes all of it."""


@dataclass(frozen=True, slots=True)
class _Share:
    """What one served entity holds of the machine: tokens' worth a second, of what its model does here at most."""

    entity: ServedEntity
    profile: ThroughputProfile
    rate: float

    @property
    def units(self) -> float:
        """As a part of the machine."""
        return self.rate / self.profile.machine_work_per_s


class PromisedCapacity:
    """Fulfils `control.endpoints.ports.Capacity`: what was measured divides the machine.

    A version that was never measured counts as nothing until it is, and cannot be refused: nobody knows what it needs.
    `Overcommitment` looks again once it is measured.
    """

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def refusal(self, asked: Iterable[ServedEntity], others: Iterable[ServingEndpoint]) -> str | None:
        """See `Capacity.refusal`."""
        held = {
            f"{endpoint.name}/{share.entity.name}": share
            for endpoint in others
            for share in self._shares(endpoint.wanted_entities)
        }
        account = _opened(share.units for share in held.values())
        for share in self._shares(asked):
            after = account.with_holding(share.entity.name, Amounts(units=share.units))
            if isinstance(after, Refusal):
                return _sentence(share, 1.0 - account.taken.units, held)
            account = after
        return None

    def _shares(self, entities: Iterable[ServedEntity]) -> Iterator[_Share]:
        for entity in entities:
            if not entity.settings.is_provisioned or entity.external is not None:
                continue
            profile = self._profiles.best(entity.version_ids)
            if profile is not None:
                yield _Share(entity, profile, _rate(entity, profile))


def _opened(units: Iterable[float]) -> Account:
    """The account of what is held; what was promised before it was measured may be more than there is."""
    return Account(_WHOLE, {"others": Amounts(units=min(1.0, sum(units)))})


def _rate(entity: ServedEntity, profile: ThroughputProfile) -> float:
    settings = entity.settings
    if settings.max_provisioned_throughput is not None:
        return settings.max_provisioned_throughput
    return (settings.provisioned_model_units or 0) * profile.chunk_size


def _sentence(share: _Share, left_units: float, held: dict[str, _Share]) -> str:
    most, chunk = share.profile.machine_work_per_s, share.profile.chunk_size
    left = max(0.0, left_units) * most
    fits = math.floor(left / chunk) * chunk
    holders = ", ".join(f"{name} {one.units:.0%}" for name, one in sorted(held.items()))
    way_out = f"Ask for at most {fits}" if fits else f"That is less than its unit of {chunk}"
    return (
        f"The served entity '{share.entity.name}' asks for {share.rate:g} tokens per second. This machine does "
        f"{most:.0f} of its model at most, and {left:.0f} are not promised to others"
        f"{f' (they hold of the machine: {holders})' if holders else ''}. {way_out}"
        f"{', or lower, stop or delete another provisioned endpoint' if holders else ''}."
    )
