"""What every role of the server makes of its settings."""

import random
import time
from collections.abc import Callable, Sequence
from functools import partial

from openfm.core.limits import LimitRule
from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.body import BodyLimits
from openfm.gateway.guards import Guards
from openfm.gateway.invoke import Gateway
from openfm.gateway.ports import Directory, Prices, Roster
from openfm.gateway.routes import WireOptions
from openfm.limits.budgets import BudgetKeeper, BudgetState
from openfm.limits.limiter import Limiter
from openfm.limits.opening import Counts
from openfm.server.listener import Tls
from openfm.settings import Settings
from openfm.wire.to_core import BatchLimits


def make_gateway(settings: Settings, directory: Directory, roster: Roster, guards: Guards) -> Gateway:
    """Takes requests to engines."""
    limits = QueueLimits(settings.queue_length, settings.queue_deadline_s)
    draw: Callable[[], float] = partial(random.uniform, 0, 100)  # a split of traffic needs no secrecy
    return Gateway(directory, roster, Admission(limits, time.monotonic), guards, draw)


def make_guards(
    counts: Counts, rules: Callable[[], Sequence[LimitRule]], budgets: Callable[[], BudgetState], prices: Prices
) -> Guards:
    """What each request takes before it is dispatched; `rules` and `budgets` are as they are now."""
    return Guards(Limiter(counts.limits, rules), BudgetKeeper(counts.budgets, budgets, prices))


def wire_options(settings: Settings) -> WireOptions:
    """How the data plane reads and writes."""
    return WireOptions(
        is_strict=settings.strict,
        reasoning_style=settings.reasoning_style,
        body_limits=BodyLimits(settings.max_body_bytes),
        batch_limits=BatchLimits(settings.max_prompts, settings.max_embedding_inputs),
    )


def tls_of(settings: Settings) -> Tls | None:
    """The certificate to serve with, where there is one."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key)
