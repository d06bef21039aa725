"""What this deployment is and offers, for its page of limits."""

from collections.abc import Sequence
from pathlib import Path

from openfm.catalog.catalog import Catalog, CatalogModel
from openfm.catalog.fit import Machine, why_not
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.limits.platform import Availability, OfferedModel
from openfm.core.endpoint import ServingEndpoint
from openfm.ops.machine import survey


class Offer:
    """The catalogue's models as they are here."""

    def __init__(self, catalog: Catalog, directory: EndpointDirectory, weights_dir: Path) -> None:
        self._catalog = catalog
        self._directory = directory
        self._weights_dir = weights_dir

    def models(self) -> Sequence[OfferedModel]:
        """Every one of them, in the catalogue's order. Blocks."""
        machine = survey(self._weights_dir)
        served = {endpoint.name: endpoint for endpoint in self._directory.endpoints}
        return [_offered(model, served.get(model.endpoint_name), machine) for model in self._catalog.models]


def _offered(model: CatalogModel, endpoint: ServingEndpoint | None, machine: Machine) -> OfferedModel:
    profile = model.profile
    if endpoint is not None and not endpoint.is_alias:
        return OfferedModel(model.endpoint_name, profile.display_name, profile.task, Availability.SERVED)
    reason = why_not(model, machine) or "It could run here: `openfm models pull` fetches it, an endpoint serves it."
    availability = Availability.UNAVAILABLE if endpoint is None else Availability.STAND_IN
    if endpoint is not None:
        reason = f"A default model of the same task answers in its place. {reason}"
    return OfferedModel(model.endpoint_name, profile.display_name, profile.task, availability, reason)
