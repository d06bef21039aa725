"""What an answer says about itself to a client that sends `x-openfm-explain: 1`: the key `openfm` of its body.

In a stream it is a chunk of its own, the last one, without choices.
"""

from collections.abc import Iterable

import msgspec

from openfm.core.errors import InvalidRequest

_HEADER = b"x-openfm-explain"
_YES, _NO = frozenset({b"1", b"true"}), frozenset({b"0", b"false"})


class LimitNote(msgspec.Struct, frozen=True):
    """The limit of which least is left, in `words`. `reset_ms`: until all of it is free again."""

    words: str
    amount: int
    remaining: int
    reset_ms: int


class PriceNote(msgspec.Struct, frozen=True):
    """The price that was applied, and what the answer cost. Amounts are decimal numbers, per million tokens."""

    version: int
    currency: str
    prompt: str
    cached: str
    completion: str
    cost: str


class UnitsNote(msgspec.Struct, frozen=True):
    """What the answer took of provisioned throughput: its work, in completion tokens, and how long one unit does that.

    `is_burst`: it went in beside what was provisioned, and took nothing of it.
    """

    work: float
    unit_seconds: float
    is_burst: bool


class Explanation(msgspec.Struct, frozen=True):
    """Who answered, where the time went, what was counted. Times are milliseconds.

    `prefill_ms` is from the engine's start to the first token; None where there was no such token, as for embeddings.
    `units` is None where no throughput was provisioned.
    """

    request_id: str
    served_entity: str
    entity_name: str
    entity_version: str
    replica: str
    queue_ms: float
    prefill_ms: float | None
    decode_ms: float | None
    total_ms: float
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    price: PriceNote
    tightest_limit: LimitNote | None
    units: UnitsNote | None


def is_asked_for(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the client wants an explanation. Raises `InvalidRequest` for a value that is neither yes nor no."""
    for name, value in headers:
        if name == _HEADER:
            if value.lower() not in _YES | _NO:
                raise InvalidRequest("x-openfm-explain is 1 or 0.")
            return value.lower() in _YES
    return False


def explained(body: bytes, explanation: Explanation) -> bytes:
    """A JSON object with the explanation in it."""
    return body[:-1] + b',"openfm":' + msgspec.json.encode(explanation) + b"}"
