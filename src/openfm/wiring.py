"""What every role of the server makes of its settings."""

import random
import time
from collections.abc import Callable
from functools import partial

from openfm.gateway.admission import Admission, QueueLimits
from openfm.gateway.body import BodyLimits
from openfm.gateway.invoke import Gateway
from openfm.gateway.ports import Directory, Roster, ThroughputBook
from openfm.gateway.provision import Provisions
from openfm.gateway.routes import WireOptions
from openfm.limits.limiter import Limiter
from openfm.server.listener import Tls
from openfm.settings import Settings
from openfm.wire.to_core import BatchLimits


def make_gateway(
    settings: Settings, directory: Directory, roster: Roster, limiter: Limiter, promised: ThroughputBook
) -> Gateway:
    """Takes requests to engines."""
    limits = QueueLimits(settings.queue_length, settings.queue_deadline_s, settings.engine_precedence)
    draw: Callable[[], float] = partial(random.uniform, 0, 100)  # a split of traffic needs no secrecy
    provisions = Provisions(promised, time.monotonic)
    admission = Admission(limits, time.monotonic, provisions=provisions)
    return Gateway(directory, roster, admission, limiter, draw)


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
