"""Which replica takes a request: pure."""

import hashlib
from collections.abc import Sequence

from openfm.core.chat import ChatRequest, GenerationRequest
from openfm.gateway.ports import Replica

_PREFIX_CHARACTERS = 512
_TOLERANCE = 0.5


def pick_replica(ready: Sequence[Replica], prefix: bytes | None) -> Replica:
    """The replica that likely holds the prefix, unless it has clearly more to do than another; else the least loaded.

    Load is ongoing requests per slot. Rendezvous hashing: a replica that comes or goes moves only its own prefixes.
    """
    least = min(ready, key=_load)
    if prefix is None or len(ready) == 1:
        return least
    preferred = max(ready, key=lambda replica: hashlib.blake2b(replica.id.encode() + prefix, digest_size=8).digest())
    return preferred if _load(preferred) - _load(least) < _TOLERANCE else least


def prefix_of(request: GenerationRequest) -> bytes:
    """What requests of one conversation, or of one system prompt, have in common."""
    if isinstance(request, ChatRequest):
        text = "\0".join(message.content or "" for message in request.messages[:2])
    elif isinstance(request.prompt, str):
        text = request.prompt
    else:
        return b",".join(b"%d" % token for token in request.prompt[:_PREFIX_CHARACTERS])
    return text[:_PREFIX_CHARACTERS].encode("utf-8", "surrogatepass")


def _load(replica: Replica) -> float:
    return replica.ongoing / replica.slots
