"""A request that may cost something, as those who watch the money see it."""

from collections.abc import Mapping
from dataclasses import dataclass

from openfm.core.endpoint import ServingEndpoint
from openfm.core.principal import Principal


@dataclass(frozen=True, slots=True)
class Spending:
    """Who asks what, and when it was received (us since the epoch); `tags` as the ledger has them."""

    request_id: str
    caller: Principal
    endpoint: ServingEndpoint
    tags: Mapping[str, str]
    received_us: int
