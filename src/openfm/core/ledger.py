"""What the ledger says of a request: what was reserved for it, and how it ended.

Times are microseconds since the epoch. `reserved → settled | aborted`: one row a request, closed once.
"""

from dataclasses import dataclass
from enum import StrEnum

from openfm.core.principal import Principal, PrincipalKind
from openfm.core.usage import Demand, TokenCounts

LEAST_RETENTION_DAYS = 32
"""A month's rows stay while the month lasts: budgets that are set in it count them."""

MOST_TOKENS = 40_000_000
"""Of one kind in one request. More is a mistake of whoever counted, and would not fit the cost's 64 bits."""


class LedgerState(StrEnum):
    """How far a request's row has come. ABORTED: the client left, the answer broke off, or the gateway died."""

    RESERVED = "RESERVED"
    SETTLED = "SETTLED"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is kept of a request with an `Idempotency-Key`: a hash of whose key it is and for what, and of its body."""

    key: str
    body: str


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """One that was made: by the request of this id, which came at this time (epoch seconds)."""

    attempt: Attempt
    request_id: str
    at_s: float


@dataclass(slots=True)  # not frozen: each request makes one, and frozen it takes twice as long
class LedgerEntry:
    """A request on its way to an engine: who pays for what. Never changed.

    `served_entity` is its name inside the endpoint, `config_version` that of the endpoint's config. `tags` are the
    request's `usage_context` and the endpoint's tags. `is_provisioned`: throughput is provisioned for the entity.
    """

    request_id: str
    principal_id: str
    principal_name: str
    principal_kind: PrincipalKind
    token_id: str | None
    endpoint_id: str
    endpoint_name: str
    served_entity: str
    entity_name: str
    entity_version: str
    config_version: int
    task: str
    is_streaming: bool
    received_us: int
    reserved_prompt_tokens: int
    reserved_completion_tokens: int
    client_request_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    attempt: Attempt | None = None
    is_provisioned: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was delivered of a request until `at_us`: all that is billed if nothing more is heard of it."""

    request_id: str
    delivered: TokenCounts
    at_us: int


@dataclass(slots=True)  # as `LedgerEntry`
class Settlement:
    """The end of a request; never changed. `billed` is what was delivered, `generated` what the engine counted.

    `served_entity` with `entity_name`, `entity_version` and `is_provisioned` is the one that answered: until the first
    token another may take over. `status` is the HTTP status, `is_estimated` says that no engine counted these tokens.
    """

    request_id: str
    served_entity: str
    entity_name: str
    entity_version: str
    state: LedgerState
    status: int
    finish_reason: str | None
    admitted_us: int | None
    first_token_us: int | None
    finished_us: int
    queue_us: int
    generated: TokenCounts
    billed: TokenCounts
    is_estimated: bool = False
    is_provisioned: bool = False


@dataclass(frozen=True, slots=True)
class PastUse:
    """What a principal, whose groups are not told, used of an endpoint in a short time that ended at `until_us`.

    `unsettled` was reserved for requests whose gateway died: what they used nobody knows, but it was no more.
    """

    principal: Principal
    endpoint_id: str
    until_us: int
    requests: int
    used: TokenCounts
    unsettled: Demand
