"""Token counts and the record of one request."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one answer, or of all answers of a request, so far.

    `cached` is the part of `prompt` that the prefix cache saved, `reasoning` the part of `completion`
    spent before the visible answer.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion tokens together, as `usage.total_tokens` on the wire."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Demand:
    """The most tokens that a request can use. `is_open_ended`: the caller set no `max_tokens`.

    `least_prompt` is what its prompt has at least, where `prompt` is only a bound; None where the prompt is counted.
    """

    prompt: int
    completion: int
    is_open_ended: bool = False
    least_prompt: int | None = None

    @property
    def least(self) -> "Demand":
        """What it comes to at least, once the prompt is counted."""
        return self if self.least_prompt is None else replace(self, prompt=self.least_prompt, least_prompt=None)


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that no engine was given: whose it was, of what, and the error's code."""

    endpoint_id: str
    entity_name: str
    principal_id: str
    code: str


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """Append-only fact about one finished request. Times are seconds since the epoch.

    `trace_parent` is the caller's span, where it named one (W3C Trace Context). `refused` is None for a request that
    was dispatched, or whose client left before.
    """

    request_id: str
    principal: str
    endpoint: str
    served_entity: str
    task: str
    status: int
    is_streaming: bool
    received_s: float
    first_token_s: float | None
    finished_s: float
    queue_s: float
    generated: TokenCounts
    delivered: TokenCounts
    client_request_id: str | None = None
    usage_context: tuple[tuple[str, str], ...] = ()
    trace_parent: str | None = None
    refused: Refused | None = None
