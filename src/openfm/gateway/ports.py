"""What the gateway needs from the rest; `app.py` decides who fulfils it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.core.ledger import LedgerEntry, Settlement
from openfm.core.limits import Standing
from openfm.core.payload import Payload
from openfm.core.price import Price
from openfm.core.principal import Principal
from openfm.core.spending import Spending
from openfm.core.usage import Demand, TokenCounts, UsageRecord
from openfm.engines.base import Engine
from openfm.scheduling.work import Promise


class TokenVerifier(Protocol):
    """Knows bearer tokens."""

    def verify(self, token: str) -> Principal | None:
        """The token's owner, or None. Must not wait: it is asked once a request."""
        ...


class Directory(Protocol):
    """Knows endpoints, from memory."""

    def queryable(self, name: str, caller: Principal) -> ServingEndpoint:
        """The endpoint, if the caller has CAN_QUERY. Raises `EndpointNotFound`, `PermissionDenied`."""
        ...

    def visible(self, caller: Principal) -> Sequence[ServingEndpoint]:
        """The endpoints on which the caller has CAN_VIEW, sorted by name."""
        ...


class Replica(Protocol):
    """One running copy of a served entity."""

    @property
    def id(self) -> str:
        """Unique in this fleet."""
        ...

    @property
    def ongoing(self) -> int:
        """Requests that hold it."""
        ...

    def hold(self) -> AbstractContextManager[Engine]:
        """The engine, for one request: a replica that is to go waits for those that hold it.

        Raises `NoReplicaReady` if it went while it was looked at.
        """
        ...

    @property
    def slots(self) -> int:
        """How many sequences it runs at once."""
        ...

    @property
    def hardware(self) -> frozenset[str]:
        """What it computes on; replicas with a name in common compete for it. Empty where that is not known."""
        ...


class Roster(Protocol):
    """Knows which replicas run."""

    async def ready(self, entity: ServedEntity) -> Sequence[Replica]:
        """Replicas that take requests now; waits for one that is being loaded.

        Raises `EntityWithdrawn` when an update took the entity away, `NoReplicaReady` with the reason and
        `retry_after_s` when there is none in time.
        """
        ...


class ThroughputBook(Protocol):
    """Knows what was promised to whom, from memory."""

    def promise(self, entity: ServedEntity) -> Promise | None:
        """What the entity's provisioned throughput comes to; None for pay-per-token. Must not wait."""
        ...


class Allowance(Protocol):
    """What one request took of its limits."""

    @property
    def standings(self) -> Sequence[Standing]:
        """How every limit that applies stands now; none where none does."""
        ...

    @property
    def most_completion_tokens(self) -> int | None:
        """What an answer without `max_tokens` may have, where a limit leaves it less than the context does."""
        ...

    async def withdraw(self) -> None:
        """The request goes no further for now: all is given back, as if it had not come."""
        ...

    async def settle(self, used: TokenCounts) -> None:
        """The request left, and used so much: the rest is given back."""
        ...


class Limiter(Protocol):
    """Knows how much each caller may use."""

    async def reserve(self, caller: Principal, endpoint: ServingEndpoint, demand: Demand) -> Allowance:
        """Take the demand from every limit that applies, or from none.

        Raises `RateLimited`, which tells whether it may fit when its prompt is counted; `PermissionDenied` for a caller
        who is blocked; `InvalidRequest` for a demand that no wait would admit.
        """
        ...


class Hold(Protocol):
    """What one request holds of its budgets."""

    async def settle(self, entity: ServedEntity, billed: TokenCounts) -> None:
        """The request left; `entity` answered, and so much is billed: the rest is given back."""
        ...


class Budgets(Protocol):
    """Knows how much money is left."""

    async def hold(self, spending: Spending, entities: Sequence[ServedEntity], demand: Demand) -> Hold | None:
        """Hold the most that any of the entities can cost, of every budget that applies or of none; None for nothing.

        Asked again for the same request, it holds the greater amount. Raises `BudgetExceeded`, which tells whether it
        may fit when its prompt is counted.
        """
        ...


class Ledger(Protocol):
    """Keeps what is billed. No call waits longer than it takes to hand bytes to the operating system."""

    def reserve(self, entry: LedgerEntry) -> None:
        """Put a request on record, before it is dispatched. Raises `LedgerUnavailable`; then nothing is on record."""
        ...

    def checkpoint(self, request_id: str, delivered: TokenCounts) -> None:
        """What was delivered so far: all that is billed if nothing more is heard of the request."""
        ...

    def settle(self, settlement: Settlement) -> None:
        """How a request ended."""
        ...


class Prices(Protocol):
    """Knows what tokens cost, from memory."""

    def price(self, endpoint_name: str, entity_name: str, at_us: int) -> Price:
        """The price of a request that was received then (microseconds since the epoch); one of 0 where none is set."""
        ...


class PayloadSink(Protocol):
    """Takes requests and answers of endpoints that have an inference table."""

    def record(self, payload: Payload) -> None:
        """Keep it, where there is room. Must not wait."""
        ...


class UsageSink(Protocol):
    """Takes usage records."""

    def record(self, usage: UsageRecord) -> None:
        """Keep it. Must not wait."""
        ...
