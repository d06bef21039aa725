"""Unity Catalog's privileges on registered models. Every method blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.identity.books import Books
from openfm.control.identity.records import PrincipalRecord
from openfm.control.identity.well_known import USERS
from openfm.control.permissions import repository
from openfm.control.permissions.objects import EXECUTE, MODEL_PRIVILEGES, ObjectType
from openfm.control.permissions.repository import Grant, Thing
from openfm.control.registry import repository as models
from openfm.core.errors import InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.principal import Principal
from openfm.core.registry import ModelName, RegisteredModel, model_not_found

_ALL_USERS = "account users"  # Unity Catalog's group of everybody
_MOST_CHANGES = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """Privileges to give to a principal, by name, and to take away."""

    principal: str
    add: Sequence[str] = ()
    remove: Sequence[str] = ()


class ModelPrivileges:
    """Who may use and change registered models."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def get(self, caller: Principal, full_name: str, principal: str | None = None) -> Mapping[str, Sequence[str]]:
        """Principal's name -> privileges, of all or of one. Raises `NotFound`, `PermissionDenied` without EXECUTE."""
        with self._books.database.transaction() as connection:
            model = _found(connection, full_name)
            if not self._books.grants.may_execute(caller, model.name.full_name):
                raise PermissionDenied(f"You have no EXECUTE on the model '{model.name}'. Ask its owner for it.")
            found = _by_name(repository.grants_on(connection, _thing(model)))
        if model.name.is_system:
            found[_ALL_USERS] = [EXECUTE]
        return {name: levels for name, levels in found.items() if principal in {None, name}}

    def update(self, caller: Principal, full_name: str, changes: Sequence[Change]) -> Mapping[str, Sequence[str]]:
        """All changes or none. Raises `NotFound`, `PermissionDenied` without MANAGE, `InvalidParameterValue`."""
        if len(changes) > _MOST_CHANGES:
            raise InvalidParameterValue(f"changes may have {_MOST_CHANGES} entries. Use groups.", param="changes")
        with self._books.change() as connection:
            model = _found(connection, full_name)
            if model.name.is_system:
                raise PermissionDenied(f"'{model.name}' comes with openfm; everybody may use it, nobody change it.")
            if not self._books.grants.may_manage(caller, model.name.full_name):
                raise PermissionDenied(f"You have no MANAGE on the model '{model.name}'. Ask its owner for it.")
            thing = _thing(model)
            for change in changes:
                _apply(connection, thing, change)
            return _by_name(repository.grants_on(connection, thing))


def _found(connection: Connection, full_name: str) -> RegisteredModel:
    name = ModelName.parse(full_name)
    model = models.find_model(connection, name)
    if model is None:
        raise model_not_found(name)
    return model


def _thing(model: RegisteredModel) -> Thing:
    return Thing(ObjectType.MODEL, model.id)


def _apply(connection: Connection, thing: Thing, change: Change) -> None:
    add, remove = (_checked(names) for names in (change.add, change.remove))
    principal = _principal(connection, change.principal)
    for level in [*remove, *add]:  # what is given and taken at once is given
        repository.delete_level(connection, thing, principal.id, level)
    kept = {grant.level for grant in repository.grants_on(connection, thing) if grant.holder.id == principal.id}
    for level in add:
        if level not in kept:
            repository.insert_grant(connection, thing, principal.id, level, is_owner=False)


def _checked(privileges: Sequence[str]) -> Sequence[str]:
    names = list(dict.fromkeys(name.upper().replace(" ", "_") for name in privileges))
    if not set(names) <= set(MODEL_PRIVILEGES):
        raise InvalidParameterValue(
            f"Privileges on a registered model are: {', '.join(MODEL_PRIVILEGES)}.", param="changes"
        )
    return names


def _principal(connection: Connection, name: str) -> PrincipalRecord:
    found = identity.find_by_name(connection, USERS if name == _ALL_USERS else name)
    if found is None:
        raise NotFound(f"There is no principal called '{name}'. An admin can create it.", param="changes.principal")
    return found


def _by_name(grants: Sequence[Grant]) -> dict[str, list[str]]:
    """What was given; an owner needs no grant, and Unity Catalog shows none."""
    found: dict[str, list[str]] = {}
    for grant in grants:
        if not grant.is_owner:
            found.setdefault(grant.holder.name, []).append(grant.level)
    return found
