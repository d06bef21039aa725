"""Where used `Idempotency-Key`s are kept: in this process, or shared by several."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from openfm.core.ledger import Attempt, KnownAttempt

REMEMBERED_S = 24 * 3600.0
_MOST = 1_000_000


class KeyStore(Protocol):
    """Attempts by their key, for a day."""

    async def take(self, one: Attempt, request_id: str) -> KnownAttempt | None:
        """Take its key for the request; if another has it, that one's attempt, and nothing is taken."""
        ...

    async def release(self, one: Attempt) -> None:
        """The request that took its key came to nothing: it may be taken again."""
        ...


class InProcessKeys:
    """Fulfils `KeyStore`; of more than a million keys the oldest are forgotten. `clock` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float], known: Iterable[KnownAttempt] = ()) -> None:
        self._clock = clock
        self._known: OrderedDict[str, KnownAttempt] = OrderedDict()
        for one in sorted(known, key=lambda entry: entry.at_s):
            self._known[one.attempt.key] = one

    async def take(self, one: Attempt, request_id: str) -> KnownAttempt | None:
        """See `KeyStore`."""
        self._forget_old()
        holder = self._known.get(one.key)
        if holder is None:
            self._known[one.key] = KnownAttempt(one, request_id, self._clock())
        return holder

    async def release(self, one: Attempt) -> None:
        """See `KeyStore`."""
        self._known.pop(one.key, None)

    def _forget_old(self) -> None:
        oldest_kept = self._clock() - REMEMBERED_S
        while self._known:
            first = next(iter(self._known))
            if self._known[first].at_s >= oldest_kept and len(self._known) < _MOST:
                return
            del self._known[first]
