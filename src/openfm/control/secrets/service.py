"""Secret scopes: kept encrypted, read by those who have READ, never logged. Every method blocks."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.control.identity.books import Books
from openfm.control.identity.records import callers
from openfm.control.identity.well_known import USERS_ID
from openfm.control.permissions import repository as grants
from openfm.control.permissions.objects import MANAGE, SCOPE_LEVELS, ObjectType
from openfm.control.permissions.repository import Thing
from openfm.control.secrets import repository
from openfm.control.secrets.cipher import Cipher
from openfm.control.secrets.repository import Scope, StoredSecret
from openfm.core.errors import AlreadyExists, InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.external import SecretReference
from openfm.core.principal import Principal

READ, WRITE, _ = SCOPE_LEVELS
_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,128}")
_REFERENCE = re.compile(r"\{\{secrets/([A-Za-z0-9_.@-]{1,128})/([A-Za-z0-9_.@-]{1,128})\}\}")
_MOST_BYTES = 128 * 1024  # these limits are Databricks'
_MOST_SECRETS = 1000
_MOST_SCOPES = 1000
_EVERYBODY = "users"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is."""

    scope: str
    key: str

    @classmethod
    def parse(cls, reference: str) -> "Place":
        """From `{{secrets/scope/key}}`. Raises `InvalidParameterValue`."""
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise InvalidParameterValue("A secret is referred to as {{secrets/scope/key}}.")
        return cls(match[1], match[2])


class SecretStore:
    """Scopes and their secrets."""

    def __init__(self, books: Books, cipher: Cipher) -> None:
        self._books = books
        self._cipher = cipher

    def create_scope(self, caller: Principal, name: str, manager: str | None) -> None:
        """A new scope, which the caller manages, and everybody for the manager `users`. Raises `AlreadyExists`."""
        if manager not in (None, "", _EVERYBODY, caller.name):
            raise InvalidParameterValue(
                f"initial_manage_principal can be '{_EVERYBODY}' only. Give others access with acls/put.",
                param="initial_manage_principal",
            )
        scope = Scope(_checked(name, "scope"), uuid.uuid4().hex, caller.name, self._books.now_ms())
        with self._books.change() as connection:
            known = [one.name for one in repository.scopes(connection)]
            if scope.name in known:
                raise AlreadyExists(f"The scope '{name}' exists already. Choose another name.", param="scope")
            if len(known) >= _MOST_SCOPES:
                raise InvalidParameterValue(f"There are {_MOST_SCOPES} scopes already. Delete one first.")
            repository.insert_scope(connection, scope)
            thing = _thing(scope)
            grants.insert_grant(connection, thing, caller.id, MANAGE, is_owner=True)
            if manager == _EVERYBODY:
                grants.insert_grant(connection, thing, USERS_ID, MANAGE, is_owner=False)

    def scopes(self, caller: Principal) -> Sequence[Scope]:
        """The scopes that the caller may read."""
        with self._books.database.transaction() as connection:
            found = repository.scopes(connection)
        return [scope for scope in found if self._books.grants.may_use_scope(caller, scope.id, READ)]

    def delete_scope(self, caller: Principal, name: str) -> None:
        """Remove a scope with its secrets. Raises `NotFound`, `PermissionDenied` without MANAGE."""
        with self._books.change() as connection:
            scope = self._scope(connection, caller, name, MANAGE)
            repository.delete_scope(connection, name)
            grants.delete_grants(connection, _thing(scope))

    def put(self, caller: Principal, place: Place, value: bytes) -> None:
        """Keep a secret, in the place of one of the same key. Raises `NotFound`, `PermissionDenied` without WRITE."""
        _checked(place.key, "key")
        if len(value) > _MOST_BYTES:
            raise InvalidParameterValue(f"A secret may have {_MOST_BYTES} bytes.", param="string_value")
        secret = StoredSecret(place.key, self._cipher.encrypt(value), len(value), self._books.now_ms())
        with self._books.database.transaction() as connection:
            self._scope(connection, caller, place.scope, WRITE)
            is_new = repository.find_secret(connection, place.scope, place.key) is None
            if is_new and repository.count_secrets(connection, place.scope) >= _MOST_SECRETS:
                raise InvalidParameterValue(f"A scope may have {_MOST_SECRETS} secrets. Make another scope.")
            repository.put_secret(connection, place.scope, secret)

    def list(self, caller: Principal, scope: str) -> Sequence[StoredSecret]:
        """The secrets of a scope. Raises `NotFound`, `PermissionDenied`."""
        with self._books.database.transaction() as connection:
            self._scope(connection, caller, scope, READ)
            return repository.secrets_in(connection, scope)

    def get(self, caller: Principal, place: Place) -> bytes:
        """A secret's value. Raises `NotFound`, `PermissionDenied`."""
        with self._books.database.transaction() as connection:
            self._scope(connection, caller, place.scope, READ)
            secret = _found(connection, place)
        return self._cipher.decrypt(secret.ciphertext)

    def delete(self, caller: Principal, place: Place) -> None:
        """Forget a secret. Raises `NotFound`, `PermissionDenied` without WRITE."""
        with self._books.database.transaction() as connection:
            self._scope(connection, caller, place.scope, WRITE)
            _found(connection, place)
            repository.delete_secret(connection, place.scope, place.key)

    def acls(self, caller: Principal, name: str) -> Mapping[str, str]:
        """Principal's name -> level on a scope. Raises `NotFound`, `PermissionDenied` without MANAGE."""
        with self._books.database.transaction() as connection:
            scope = self._scope(connection, caller, name, MANAGE)
            return {grant.holder.name: grant.level for grant in grants.grants_on(connection, _thing(scope))}

    def put_acl(self, caller: Principal, name: str, principal: str, level: str) -> None:
        """Give a principal a level in the place of the one it has; the creator keeps MANAGE."""
        if level not in SCOPE_LEVELS:
            raise InvalidParameterValue(f"permission must be one of: {', '.join(SCOPE_LEVELS)}.", param="permission")
        with self._books.change() as connection:
            thing = _thing(self._scope(connection, caller, name, MANAGE))
            holder = _principal_id(connection, principal)
            if any(grant.is_owner and grant.holder.id == holder for grant in grants.grants_on(connection, thing)):
                return
            grants.delete_given(connection, thing, [holder])
            grants.insert_grant(connection, thing, holder, level, is_owner=False)

    def delete_acl(self, caller: Principal, name: str, principal: str) -> None:
        """Take a principal's level away. Raises `NotFound` where it has none of its own."""
        with self._books.change() as connection:
            thing = _thing(self._scope(connection, caller, name, MANAGE))
            holder = _principal_id(connection, principal)
            given = [grant.holder.id for grant in grants.grants_on(connection, thing) if not grant.is_owner]
            if holder not in given:
                raise NotFound(f"'{principal}' has no permission on the scope '{name}' that could be taken away.")
            grants.delete_given(connection, thing, [holder])

    def encrypt(self, plaintext: str) -> str:
        """What is stored of a key that was sent in plain text."""
        return self._cipher.encrypt(plaintext.encode())

    def decrypt(self, ciphertext: str) -> str:
        """What was encrypted."""
        return self._cipher.decrypt(ciphertext).decode()

    def refer(self, caller: Principal, reference: str) -> SecretReference:
        """What is kept of a `{{secrets/scope/key}}` that the caller may read, and that holds a text.

        Raises `NotFound`, `PermissionDenied` without READ on its scope, `InvalidParameterValue`.
        """
        place = Place.parse(reference)
        with self._books.database.transaction() as connection:
            scope = self._scope(connection, caller, place.scope, READ)
            secret = _found(connection, place)
        _text(self._cipher.decrypt(secret.ciphertext))
        return SecretReference(reference, scope.id, caller.id)

    def read(self, reference: SecretReference) -> str:
        """The secret, for whoever referred to it.

        Raises `NotFound` where it or its scope was deleted, `PermissionDenied` where that principal may not read it any
        more, `InvalidParameterValue`.
        """
        place = Place.parse(reference.text)
        with self._books.database.transaction() as connection:
            reader = callers(identity.everybody(connection), identity.memberships(connection)).get(reference.reader_id)
            scope = repository.find_scope(connection, place.scope)
            if scope is None or scope.id != reference.scope_id:
                raise NotFound(f"The scope of {reference.text} was deleted. Update the endpoint with another key.")
            if reader is None or not self._books.grants.may_use_scope(reader, scope.id, READ):
                raise PermissionDenied(
                    f"Whoever gave the endpoint {reference.text} may not read that secret any more. Somebody who may "
                    "can update the endpoint."
                )
            secret = _found(connection, place)
        return _text(self._cipher.decrypt(secret.ciphertext))

    def _scope(self, connection: Connection, caller: Principal, name: str, needed: str) -> Scope:
        scope, may = repository.find_scope(connection, name), self._books.grants.may_use_scope
        if scope is None or not may(caller, scope.id, READ):
            raise NotFound(f"There is no scope '{name}' that you may see. List the scopes, or create one.")
        if not may(caller, scope.id, needed):
            raise PermissionDenied(f"This needs {needed} on the scope '{name}'. Ask one who has MANAGE on it.")
        return scope


def _found(connection: Connection, place: Place) -> StoredSecret:
    secret = repository.find_secret(connection, place.scope, place.key)
    if secret is None:
        raise NotFound(f"There is no secret '{place.key}' in the scope '{place.scope}'. Put it there first.")
    return secret


def _thing(scope: Scope) -> Thing:
    return Thing(ObjectType.SCOPE, scope.id)


def _principal_id(connection: Connection, name: str) -> str:
    found = identity.find_by_name(connection, name)
    if found is None:
        raise NotFound(f"There is no principal called '{name}'. An admin can create it.", param="principal")
    return found.id


def _checked(name: str, field: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            f"{field} must be 1 to 128 characters: letters, digits, '-', '_', '.' and '@'.", param=field
        )
    return name


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidParameterValue("This secret is no text; a key must be. Put it with string_value.") from None
