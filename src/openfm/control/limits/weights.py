"""Weights of principals: what share of an endpoint each has while several wait for it. See `scheduling.fair_queue`."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.limits import weight_rows
from openfm.control.limits.weight_rows import StoredWeight
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.limits import LimitScope
from openfm.core.principal import Principal, PrincipalKind
from openfm.store.database import Database

LEAST, MOST, USUAL = 0.01, 100.0, 1.0

KINDS: Mapping[str, PrincipalKind] = {
    LimitScope.USER: PrincipalKind.USER,
    LimitScope.SERVICE_PRINCIPAL: PrincipalKind.SERVICE_PRINCIPAL,
    LimitScope.GROUP: PrincipalKind.GROUP,
}
"""What a scope names."""


def _nobody() -> None:
    """Nobody wants to know."""


class WeightBook(Mapping[str, float]):
    """Shares by the id of who calls, as they are now: its own weight, else the highest of its groups'.

    Reading never waits; `on_change` is called whenever they were taken over. `set` and `delete` block.
    """

    def __init__(self, database: Database, on_change: Callable[[], None] = _nobody) -> None:
        self._database = database
        self._on_change = on_change
        self._stored: Sequence[StoredWeight] = ()
        self._shares: Mapping[str, float] = {}

    def __getitem__(self, principal_id: str) -> float:
        return self._shares[principal_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shares)

    def __len__(self) -> int:
        return len(self._shares)

    def binding(self, caller: Principal) -> Sequence[StoredWeight]:
        """Those that were set for the caller or a group of it; for an admin, all."""
        return [one for one in self._stored if caller.is_admin or _is_for(one, caller)]

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`. Who is in which group may have changed too."""
        stored = weight_rows.all_weights(connection)
        return partial(self._put, stored, weight_rows.shares(connection, stored))

    def _put(self, stored: Sequence[StoredWeight], shares: Mapping[str, float]) -> None:
        is_changed = (self._stored, self._shares) != (stored, shares)
        self._stored, self._shares = stored, shares
        if is_changed:
            self._on_change()

    def set(self, scope: str, principal: str, weight: float) -> StoredWeight:
        """Set a weight, in the place of the one before. Raises `InvalidParameterValue`, `NotFound`."""
        if not (math.isfinite(weight) and LEAST <= weight <= MOST):
            raise InvalidParameterValue(
                f"weight must be a number from {LEAST:g} to {MOST:g}; who has none has {USUAL:g}.", param="weight"
            )
        kind = _kind(scope)
        with self._database.transaction(self.take_over) as connection:
            found = _principal_id(connection, kind, principal)
            weight_rows.put_weight(connection, found, weight)
        return StoredWeight(found, kind, principal, weight)

    def delete(self, scope: str, principal: str) -> None:
        """Remove a weight. Raises `InvalidParameterValue`, `NotFound`."""
        kind = _kind(scope)
        with self._database.transaction(self.take_over) as connection:
            if not weight_rows.delete_weight(connection, _principal_id(connection, kind, principal)):
                raise NotFound(f"No weight is set for '{principal}'. `openfm limits list` shows them.")


def _is_for(stored: StoredWeight, caller: Principal) -> bool:
    if stored.kind is PrincipalKind.GROUP:
        return stored.principal in caller.groups
    return stored.principal_id == caller.id


def _kind(scope: str) -> PrincipalKind:
    if scope not in KINDS:
        raise InvalidParameterValue(f"scope must be one of: {', '.join(KINDS)}.", param="scope")
    return KINDS[scope]


def _principal_id(connection: Connection, kind: PrincipalKind, name: str) -> str:
    found = identity.find_named(connection, kind, name)
    if found is None:
        raise NotFound(f"There is no {kind} called '{name}'. An admin can create it.", param="principal")
    return found.id
