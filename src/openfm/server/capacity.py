"""How much of the machine is promised, and whether one more promise can be kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from openfm.control.endpoints.ports import Shortage
from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.scheduling.work import Throughput
from openfm.server.promises import Measured

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class _Share:
    """What one served entity holds of the machine: tokens' worth a second, of what can be promised of its model."""

    entity: ServedEntity
    throughput: Throughput
    rate: float

    @property
    def part(self) -> float:
        """Of the machine; 1 is all of it."""
        return self.rate / self.throughput.machine


class PromisedCapacity:
    """Fulfils `control.endpoints.ports.Capacity` and `control.throughput.ports.PromiseAccount`.

    What can be promised of a model divides the machine: as measured, else as expected of its size. `Overcommitment`
    looks again once a version is measured.
    """

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def refusal(
        self, asked: Iterable[ServedEntity], others: Iterable[ServingEndpoint], held: Iterable[ServedEntity] = ()
    ) -> Shortage | None:
        """See `Capacity.refusal`."""
        wanted, holders = list(self._shares(asked)), self._holders(others)
        if sum(share.part for share in wanted) <= sum(share.part for share in self._shares(held)):
            return None
        left = _left(holders.values())
        for share in wanted:
            if share.part > left + _ROUNDING:
                return Shortage(_sentence(share, left, holders), _field(share.entity))
            left = max(0.0, left - share.part)
        return None

    def left(self, others: Iterable[ServingEndpoint]) -> float:
        """See `PromiseAccount.left`."""
        return _left(self._holders(others).values())

    def throughput(self, entity: ServedEntity) -> Throughput:
        """See `PromiseAccount.throughput`."""
        return self._measured(entity)

    def _holders(self, endpoints: Iterable[ServingEndpoint]) -> dict[str, _Share]:
        return {
            f"{endpoint.name}/{share.entity.name}": share
            for endpoint in endpoints
            for share in self._shares(endpoint.wanted_entities)
        }

    def _shares(self, entities: Iterable[ServedEntity]) -> Iterator[_Share]:
        for entity in entities:
            if entity.settings.is_provisioned and entity.external is None:
                throughput = self._measured(entity)
                yield _Share(entity, throughput, throughput.promised(entity.settings))


def _left(shares: Iterable[_Share]) -> float:
    """The part of the machine that these leave; what was promised before it was measured may be more than there is."""
    return max(0.0, 1.0 - sum(share.part for share in shares))


def _field(entity: ServedEntity) -> str:
    is_in_units = entity.settings.max_provisioned_throughput is None
    return "provisioned_model_units" if is_in_units else "max_provisioned_throughput"


def _sentence(share: _Share, left: float, holders: dict[str, _Share]) -> str:
    entity, throughput = share.entity, share.throughput
    units, machine = entity.settings.provisioned_model_units, throughput.machine
    in_units = "" if units is None else f" ({units:,} units of {throughput.chunk:,})"
    listed = ", ".join(f"{name} {one.part:.0%}" for name, one in sorted(holders.items()))
    basis = "can be promised" if throughput.is_measured else "is expected to keep a promise of"
    measure = f"{entity.entity_name}/{entity.entity_version}"
    return (
        f"The served entity '{entity.name}' asks for {share.rate:,.0f} tokens per second{in_units}. This machine "
        f"{basis} {machine:,.0f} of its model, and {left * machine:,.0f} of them are not promised to others"
        f"{f' (they hold of the machine: {listed})' if holders else ''}. {_way_out(share, left)}"
        f"{', or lower, stop or delete another provisioned endpoint' if holders else ''}."
        f"{'' if throughput.is_measured else f' That is an estimate: `openfm calibrate {measure}` measures.'}"
    )


def _way_out(share: _Share, left: float) -> str:
    chunk, units = share.throughput.chunk, share.throughput.chunks(left)
    if not units:
        return f"It is sold in units of {chunk:,}: choose a smaller model"
    in_units = _field(share.entity) == "provisioned_model_units"
    return f"Ask for at most {f'{units:,} units' if in_units else f'{units * chunk:,}'}"
