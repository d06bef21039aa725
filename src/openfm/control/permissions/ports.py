"""What permissions need to know of the things that they are on."""

from typing import Protocol

from openfm.core.principal import PermissionLevel, Principal


class EndpointIds(Protocol):
    """Knows endpoints; the endpoints' directory does."""

    def name_of(self, endpoint_id: str) -> str:
        """The name of the endpoint with that id. Raises `NotFound`."""
        ...

    def permitted(self, name: str, caller: Principal, needed: PermissionLevel) -> object:
        """Raises `EndpointNotFound` or `PermissionDenied` for somebody without that level."""
        ...
