"""Endpoints in memory: what the gateway's `Directory` port and the management routes read."""

from collections.abc import Iterable, Sequence

from openfm.core.endpoint import ServingEndpoint
from openfm.core.errors import EndpointNotFound
from openfm.core.principal import PermissionLevel, Principal


class EndpointDirectory:
    """A snapshot of the active configs, swapped whole."""

    def __init__(self, endpoints: Iterable[ServingEndpoint]) -> None:
        self._by_name: dict[str, ServingEndpoint] = {}
        self.publish(endpoints)

    def publish(self, endpoints: Iterable[ServingEndpoint]) -> None:
        """Replace the snapshot."""
        self._by_name = {endpoint.name: endpoint for endpoint in sorted(endpoints, key=lambda e: e.name)}

    def queryable(self, name: str, caller: Principal) -> ServingEndpoint:
        """The endpoint, for a query. Pay-per-token endpoints are everybody's. Raises `EndpointNotFound`."""
        del caller
        return self._found(name)

    def viewable(self, name: str, caller: Principal) -> ServingEndpoint:
        """The endpoint, to look at. Raises `EndpointNotFound`."""
        del caller
        return self._found(name)

    def visible(self, caller: Principal) -> Sequence[ServingEndpoint]:
        """The endpoints on which the caller has CAN_VIEW, by name."""
        del caller
        return tuple(self._by_name.values())

    def _found(self, name: str) -> ServingEndpoint:
        endpoint = self._by_name.get(name)
        if endpoint is None:
            raise EndpointNotFound(name)
        return endpoint


def permission_level(caller: Principal) -> PermissionLevel:
    """What the caller may do with a pay-per-token endpoint: admins manage, everybody else queries."""
    return PermissionLevel.CAN_MANAGE if caller.is_admin else PermissionLevel.CAN_QUERY
