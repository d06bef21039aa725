"""What a server remembers of the limits of the one before it."""

from collections.abc import Iterator

from openfm.control.identity import repository as identity
from openfm.control.identity.records import callers
from openfm.control.identity.token_book import ADMIN
from openfm.core.limits import PastClaim
from openfm.core.principal import Principal
from openfm.limits.past import past_claims
from openfm.limits.policy import Binding, binding, windows
from openfm.metering.past_use import past_use
from openfm.server.state import State, now_us


def taken_before(state: State) -> Iterator[PastClaim]:
    """What was taken of the limits that are set now, as far as it still counts. Blocks."""
    rules = state.limits.rules
    with state.database.transaction() as connection:
        known = {**callers(identity.everybody(connection), identity.memberships(connection)), ADMIN.id: ADMIN}
    endpoints = {endpoint.id: endpoint for endpoint in state.directory.endpoints}
    found: dict[tuple[str, str], Binding] = {}

    def binding_of(then: Principal, endpoint_id: str) -> Binding:
        key = then.id, endpoint_id
        if key not in found:
            found[key] = binding(rules, known.get(then.id, then), endpoints.get(endpoint_id))
        return found[key]

    for window_s in windows(rules):
        now = now_us()
        yield from past_claims(past_use(state.database, window_s, now), window_s, binding_of, now)
