"""SQL of the operator's limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from openfm.core.limits import LimitRule, LimitScope, Measure
from openfm.store.access_tables import principals
from openfm.store.limit_tables import limits
from openfm.store.tables import serving_endpoints


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule and its id. Whom and what it names goes by id, and ends with it."""

    id: str
    rule: LimitRule
    principal_id: str | None


def rules(connection: Connection) -> Sequence[StoredRule]:
    """All rules."""
    query = (
        select(limits, principals.c.name.label("principal"), serving_endpoints.c.name.label("endpoint"))
        .outerjoin(principals, principals.c.id == limits.c.principal_id)
        .outerjoin(serving_endpoints, serving_endpoints.c.id == limits.c.endpoint_id)
        .order_by(limits.c.scope, principals.c.name, serving_endpoints.c.name, limits.c.measure, limits.c.window_s)
    )
    return [_rule(row) for row in connection.execute(query)]


def insert_rule(connection: Connection, stored: StoredRule) -> None:
    """Add one."""
    rule = stored.rule
    connection.execute(
        insert(limits).values(
            id=stored.id,
            scope=rule.scope.value,
            principal_id=stored.principal_id,
            endpoint_id=rule.endpoint_id,
            measure=rule.measure.value,
            amount=rule.amount,
            window_s=rule.window_s,
        )
    )


def delete_rule(connection: Connection, identifier: str) -> bool:
    """Remove one; whether there was one."""
    return connection.execute(delete(limits).where(limits.c.id == identifier)).rowcount > 0


def endpoint_id(connection: Connection, name: str) -> str | None:
    """The id of the endpoint of that name."""
    query = select(serving_endpoints.c.id).where(serving_endpoints.c.name == name)
    return connection.execute(query).scalar_one_or_none()


def _rule(row: Row[Any]) -> StoredRule:
    rule = LimitRule(
        scope=LimitScope(row.scope),
        measure=Measure(row.measure),
        amount=row.amount,
        window_s=row.window_s,
        principal=row.principal,
        endpoint=row.endpoint,
        endpoint_id=row.endpoint_id,
    )
    return StoredRule(row.id, rule, row.principal_id)
