"""What was taken of limits before this process began: pure, from what the ledger says was used, and today's rules."""

from collections.abc import Callable, Iterable, Iterator

from openfm.core.ledger import PastUse
from openfm.core.limits import Claim, Limit, Measure, PastClaim
from openfm.core.price import MICRO
from openfm.core.principal import Principal
from openfm.core.usage import Demand
from openfm.limits.policy import Binding, amount_of

BindingOf = Callable[[Principal, str], Binding]
"""The limits that bind a principal of the past on the endpoint with that id."""


def past_claims(uses: Iterable[PastUse], window_s: int, binding_of: BindingOf, now_us: int) -> Iterator[PastClaim]:
    """What `uses`, added up for a window of that length, took of the limits that have one, in their order."""
    for use in uses:
        age_s = max(0, now_us - use.until_us) / MICRO
        for key, limit in binding_of(use.principal, use.endpoint_id).items():
            if limit.window_s == window_s:
                yield PastClaim(Claim(key, limit, _taken(limit, use)), age_s)


def _taken(limit: Limit, use: PastUse) -> int:
    if limit.measure is Measure.REQUESTS:
        return use.requests
    used = amount_of(limit.measure, Demand(use.used.prompt, use.used.completion))
    return used + min(limit.amount, amount_of(limit.measure, use.unsettled))
