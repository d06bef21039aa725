"""SQL of weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from openfm.control.identity import repository as identity
from openfm.control.identity.records import groups_of
from openfm.core.principal import PrincipalKind
from openfm.store.access_tables import principals
from openfm.store.limit_tables import weights


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """The weight that was set for a principal; a group's is for its members."""

    principal_id: str
    kind: PrincipalKind
    principal: str
    weight: float


def all_weights(connection: Connection) -> Sequence[StoredWeight]:
    """All that were set, by name."""
    query = select(weights, principals.c.kind, principals.c.name).join(principals)
    rows = connection.execute(query.order_by(principals.c.name, principals.c.id))
    return [StoredWeight(row.principal_id, PrincipalKind(row.kind), row.name, row.weight) for row in rows]


def shares(connection: Connection, stored: Sequence[StoredWeight]) -> Mapping[str, float]:
    """By id of who calls: its own weight, else the highest of its groups'. Who is not named has 1."""
    own = {one.principal_id: one.weight for one in stored if one.kind is not PrincipalKind.GROUP}
    of_groups = {one.principal_id: one.weight for one in stored if one.kind is PrincipalKind.GROUP}
    if not of_groups:
        return own
    memberships = identity.memberships(connection)
    found = {}
    for caller in connection.execute(select(principals.c.id).where(principals.c.kind != PrincipalKind.GROUP)).scalars():
        named = groups_of(memberships, caller) & of_groups.keys()
        if named:
            found[caller] = max(of_groups[group] for group in named)
    return found | own


def put_weight(connection: Connection, principal_id: str, weight: float) -> None:
    """Set one."""
    is_it = weights.c.principal_id == principal_id
    if not connection.execute(update(weights).where(is_it).values(weight=weight)).rowcount:
        connection.execute(insert(weights).values(principal_id=principal_id, weight=weight))


def delete_weight(connection: Connection, principal_id: str) -> bool:
    """Remove one; whether there was one."""
    return connection.execute(delete(weights).where(weights.c.principal_id == principal_id)).rowcount > 0
