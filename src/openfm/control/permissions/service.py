"""Who has which level on an endpoint, or may use tokens: read, replaced, merged. Every method blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.identity.books import Books
from openfm.control.identity.records import PrincipalRecord
from openfm.control.permissions import repository
from openfm.control.permissions.objects import LEVEL_HELP
from openfm.control.permissions.repository import Grant, Thing
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.principal import PrincipalKind

_MOST_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A level for a principal, which goes by its kind and name."""

    kind: PrincipalKind
    name: str
    level: str


class Permissions:
    """Levels on things. Who may ask is decided before."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def get(self, thing: Thing) -> Sequence[Grant]:
        """The grants on the thing."""
        with self._books.database.transaction() as connection:
            return repository.grants_on(connection, thing)

    def replace(self, thing: Thing, entries: Sequence[Entry]) -> Sequence[Grant]:
        """Only these have a level from now on, and the owner. Raises `NotFound`, `InvalidParameterValue`."""
        with self._books.change() as connection:
            wanted = _levels(connection, thing, entries)
            repository.delete_given(connection, thing)
            _give(connection, thing, wanted)
            return repository.grants_on(connection, thing)

    def merge(self, thing: Thing, entries: Sequence[Entry]) -> Sequence[Grant]:
        """These have these levels from now on; others keep theirs. Raises `NotFound`, `InvalidParameterValue`."""
        with self._books.change() as connection:
            wanted = _levels(connection, thing, entries)
            repository.delete_given(connection, thing, wanted)
            _give(connection, thing, wanted)
            return repository.grants_on(connection, thing)


def named(connection: Connection, kind: PrincipalKind, name: str) -> PrincipalRecord:
    """The principal. Raises `NotFound`."""
    found = identity.find_named(connection, kind, name)
    if found is None:
        raise NotFound(f"There is no {kind} called '{name}'. An admin can create it.", param="access_control_list")
    return found


def _levels(connection: Connection, thing: Thing, entries: Sequence[Entry]) -> Mapping[str, str]:
    """Principal id -> level; of two for the same principal, the higher one."""
    if len(entries) > _MOST_ENTRIES:
        raise InvalidParameterValue(
            f"access_control_list may have {_MOST_ENTRIES} entries. Use groups.", param="access_control_list"
        )
    order = list(LEVEL_HELP[thing.type])
    wanted: dict[str, str] = {}
    for entry in entries:
        if entry.level not in order:
            raise InvalidParameterValue(
                f"permission_level must be one of: {', '.join(order)}.", param="access_control_list.permission_level"
            )
        principal = named(connection, entry.kind, entry.name).id
        wanted[principal] = max(wanted.get(principal, entry.level), entry.level, key=order.index)
    return wanted


def _give(connection: Connection, thing: Thing, wanted: Mapping[str, str]) -> None:
    owners = {grant.holder.id for grant in repository.grants_on(connection, thing) if grant.is_owner}
    for principal, level in wanted.items():
        if principal not in owners:
            repository.insert_grant(connection, thing, principal, level, is_owner=False)
