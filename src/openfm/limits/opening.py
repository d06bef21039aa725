"""Where counts are kept, by the operator's choice."""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from openfm.core.errors import InvalidParameterValue
from openfm.core.ledger import KnownAttempt
from openfm.core.limits import PastClaim
from openfm.limits.budget_store import BudgetStore, InProcessBudgets
from openfm.limits.in_process import InProcessLimits
from openfm.limits.key_store import InProcessKeys, KeyStore
from openfm.limits.store import LimitStore


class CannotShareLimits(Exception):  # the message is for people
    """The server that is to keep the counts cannot be used."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of limits, the reservations of budgets, and the `Idempotency-Key`s that were used."""

    limits: LimitStore
    budgets: BudgetStore
    keys: KeyStore


def _nothing() -> Iterable[PastClaim]:
    return ()


@asynccontextmanager
async def open_counts(
    url: str | None, known: Iterable[KnownAttempt] = (), past: Callable[[], Iterable[PastClaim]] = _nothing
) -> AsyncIterator[Counts]:
    """Counts in the Redis-compatible server at `url`, for all gateways; without one, in this process.

    `known` are keys that were used before; `past` says, blocking, what was taken of limits before: a server of their
    own knows that. Raises `CannotShareLimits` for a URL of another kind, or without the client's package, which is an
    extra.
    """
    if url is None:
        limits = await asyncio.to_thread(lambda: InProcessLimits(time.monotonic, past()))
        yield Counts(limits, InProcessBudgets(), InProcessKeys(time.time, known))
        return
    try:
        shared = importlib.import_module("openfm.limits.redis")
    except ModuleNotFoundError as error:
        raise CannotShareLimits(
            f"Shared limits need the package {error.name}. Install it: pip install 'openfm[valkey]'."
        ) from None
    async with AsyncExitStack() as stack:
        try:
            found = await stack.enter_async_context(shared.redis_counts(url, known=known))
        except InvalidParameterValue as error:
            raise CannotShareLimits(error.message) from None
        yield Counts(found.limits, found.budgets, found.keys)
