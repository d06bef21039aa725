"""What the routes of inference tables need; `metering` fulfils it. All calls block."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Payloads(Protocol):
    """Reads inference tables."""

    def page(self, endpoint_id: str, token: str | None, most: int) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """The next rows, the latest first, and the token of the page after. Raises `InvalidParameterValue`."""
        ...

    def one(self, endpoint_id: str, request_id: str) -> Mapping[str, Any] | None:
        """The row of one request; None where none was kept."""
        ...
