"""SQL of the operator's limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select

from openfm.control.endpoints.defaults import alias_id
from openfm.core.limits import LimitRule, LimitScope, Measure
from openfm.store.access_tables import principals
from openfm.store.limit_tables import limits
from openfm.store.tables import serving_endpoints


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule and its id. Whom and what it names goes by id, and ends with it.

    `is_of_alias`: it names an endpoint that stands in for another, by its name, which a real endpoint may take.
    """

    id: str
    rule: LimitRule
    principal_id: str | None
    is_of_alias: bool = False


def rules(connection: Connection) -> Sequence[StoredRule]:
    """All rules."""
    query = (
        select(
            limits,
            principals.c.name.label("principal"),
            func.coalesce(limits.c.alias, serving_endpoints.c.name).label("endpoint"),
            serving_endpoints.c.id.label("found_id"),
        )
        .outerjoin(principals, principals.c.id == limits.c.principal_id)
        .outerjoin(
            serving_endpoints,
            or_(serving_endpoints.c.id == limits.c.endpoint_id, serving_endpoints.c.name == limits.c.alias),
        )
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
            endpoint_id=None if stored.is_of_alias else rule.endpoint_id,
            alias=rule.endpoint if stored.is_of_alias else None,
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
        endpoint_id=row.found_id or (None if row.alias is None else alias_id(row.alias)),
    )
    return StoredRule(row.id, rule, row.principal_id, row.alias is not None)
