"""SQL of grants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from openfm.control.permissions.objects import ObjectType
from openfm.core.principal import PrincipalKind
from openfm.store.access_tables import grants, principals
from openfm.store.registry_tables import registered_models


@dataclass(frozen=True, slots=True)
class Thing:
    """What a grant is on."""

    type: ObjectType
    id: str


@dataclass(frozen=True, slots=True)
class Holder:
    """The principal who has a grant."""

    id: str
    kind: PrincipalKind
    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A level that somebody has; the owner's is kept whatever is set."""

    thing: Thing
    holder: Holder
    level: str
    is_owner: bool


_COLUMNS = (grants, principals.c.kind, principals.c.name, principals.c.display_name)


def all_grants(connection: Connection) -> Sequence[Grant]:
    """Every grant."""
    return _grants(connection, None)


def grants_on(connection: Connection, thing: Thing) -> Sequence[Grant]:
    """The grants on one thing, by name."""
    return _grants(connection, _is(thing))


def insert_grant(connection: Connection, thing: Thing, principal_id: str, level: str, *, is_owner: bool) -> None:
    """Add one that is not there."""
    connection.execute(
        insert(grants).values(
            object_type=thing.type.value,
            object_id=thing.id,
            principal_id=principal_id,
            level=level,
            is_owner=is_owner,
        )
    )


def delete_grants(connection: Connection, thing: Thing) -> None:
    """Take everything away, the owner's too."""
    connection.execute(delete(grants).where(_is(thing)))


def delete_given(connection: Connection, thing: Thing, principal_ids: Iterable[str] | None = None) -> None:
    """Take away what these have, or everybody for None; the owner's stays."""
    condition = and_(_is(thing), grants.c.is_owner.is_(False))
    if principal_ids is not None:
        condition = and_(condition, grants.c.principal_id.in_(list(principal_ids)))
    connection.execute(delete(grants).where(condition))


def delete_owner(connection: Connection, thing: Thing) -> None:
    """Take the owner's level away."""
    connection.execute(delete(grants).where(_is(thing), grants.c.is_owner.is_(True)))


def delete_level(connection: Connection, thing: Thing, principal_id: str, level: str) -> None:
    """Take one level away; the owner's stays."""
    is_level = and_(_is(thing), grants.c.principal_id == principal_id, grants.c.level == level)
    connection.execute(delete(grants).where(is_level, grants.c.is_owner.is_(False)))


def model_names(connection: Connection) -> dict[str, str]:
    """Id -> full name of every registered model."""
    rows = connection.execute(select(registered_models.c.id, registered_models.c.full_name))
    return {row.id: row.full_name for row in rows}


def delete_model_leftovers(connection: Connection) -> None:
    """Remove grants on models that are gone."""
    present = select(registered_models.c.id)
    connection.execute(
        delete(grants).where(grants.c.object_type == ObjectType.MODEL.value, grants.c.object_id.not_in(present))
    )


def _is(thing: Thing) -> ColumnElement[bool]:
    return and_(grants.c.object_type == thing.type.value, grants.c.object_id == thing.id)


def _grants(connection: Connection, condition: ColumnElement[bool] | None) -> Sequence[Grant]:
    query = select(*_COLUMNS).join(principals, principals.c.id == grants.c.principal_id)
    query = query.order_by(principals.c.kind.desc(), principals.c.name, grants.c.level)
    if condition is not None:
        query = query.where(condition)
    return [
        Grant(
            thing=Thing(ObjectType(row.object_type), row.object_id),
            holder=Holder(row.principal_id, PrincipalKind(row.kind), row.name, row.display_name),
            level=row.level,
            is_owner=row.is_owner,
        )
        for row in connection.execute(query)
    ]
