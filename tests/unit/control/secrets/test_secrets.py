"""Secrets: encrypted at rest, whole or not at all."""

import stat

import pytest

from openfm.control.secrets.cipher import Cipher, ensure_secret_key
from openfm.control.secrets.service import Place
from openfm.core.errors import InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.principal import PrincipalKind
from tests.unit.control.access_world import World

PLACE = Place("scope", "key")
REFERENCE = "{{secrets/scope/key}}"


def test_values_are_encrypted_in_the_database_and_the_key_is_the_owners_alone(people: World) -> None:
    people.access.secrets.create_scope(people.admin, "scope", None)
    people.access.secrets.put(people.admin, PLACE, b"in-plain-sight")
    reference = people.access.secrets.refer(people.admin, REFERENCE)
    stored = (people.folder / "openfm.db").read_bytes() + (people.folder / "openfm.db-wal").read_bytes()
    assert b"in-plain-sight" not in stored
    assert stat.S_IMODE((people.folder / "secret-key").stat().st_mode) == 0o600
    assert people.reopened().secrets.read(reference) == "in-plain-sight"


def test_a_lost_key_is_said_so(people: World) -> None:
    people.access.secrets.create_scope(people.admin, "scope", None)
    people.access.secrets.put(people.admin, PLACE, b"x")
    reference = people.access.secrets.refer(people.admin, REFERENCE)
    (people.folder / "secret-key").unlink()
    with pytest.raises(InvalidParameterValue, match="secret-key"):
        people.reopened().secrets.read(reference)


def test_the_key_that_a_crash_cut_short_is_not_used(people: World) -> None:
    (people.folder / "secret-key").unlink()
    (people.folder / "secret-key.new").write_bytes(b"half")
    Cipher(ensure_secret_key(people.folder))
    assert not (people.folder / "secret-key.new").exists()


@pytest.mark.parametrize(
    "reference", ["", "key", "{{secrets/scope}}", "{{secrets/scope/key}} ", "{{secrets/a/b/c}}", "{{secrets/../key}}x"]
)
def test_references_that_cannot_be_read_are_refused(people: World, reference: str) -> None:
    with pytest.raises(InvalidParameterValue):
        people.access.secrets.refer(people.admin, reference)


def test_a_reference_is_followed_for_those_who_may_read(people: World) -> None:
    ana, bob = people.signed_in("ana"), people.signed_in("bob")
    secrets = people.access.secrets
    with pytest.raises(NotFound):
        secrets.refer(ana, REFERENCE)
    secrets.create_scope(ana, "scope", None)
    secrets.put(ana, PLACE, "ü".encode())
    assert secrets.read(secrets.refer(ana, REFERENCE)) == "ü"
    with pytest.raises(NotFound):
        secrets.refer(bob, REFERENCE)
    secrets.put_acl(ana, "scope", "bob", "READ")
    assert secrets.read(secrets.refer(bob, REFERENCE)) == "ü"
    with pytest.raises(PermissionDenied):
        secrets.put(bob, PLACE, b"y")
    with pytest.raises(PermissionDenied):
        secrets.acls(bob, "scope")
    assert secrets.read(secrets.refer(people.admin, REFERENCE)) == "ü"


def test_a_reference_ends_with_the_right_to_read_it(people: World) -> None:
    """Else a secret, put there after the right was taken away, would go to a URL of the one who had it."""
    ana, bob = people.signed_in("ana"), people.signed_in("bob")
    secrets = people.access.secrets
    secrets.create_scope(ana, "scope", None)
    secrets.put(ana, PLACE, b"first")
    secrets.put_acl(ana, "scope", "bob", "READ")
    reference = secrets.refer(bob, REFERENCE)
    secrets.delete_acl(ana, "scope", "bob")
    secrets.put(ana, PLACE, b"second")
    with pytest.raises(PermissionDenied):
        secrets.read(reference)
    secrets.put_acl(ana, "scope", "bob", "READ")
    assert secrets.read(reference) == "second"
    people.access.principals.delete(PrincipalKind.USER, bob.id)
    with pytest.raises(PermissionDenied):
        secrets.read(reference)


def test_a_reference_does_not_pass_to_a_later_scope_of_the_name(people: World) -> None:
    ana, bob = people.signed_in("ana"), people.signed_in("bob")
    secrets = people.access.secrets
    secrets.create_scope(ana, "scope", "users")
    secrets.put(ana, PLACE, b"ana's")
    reference = secrets.refer(bob, REFERENCE)
    secrets.delete_scope(ana, "scope")
    with pytest.raises(NotFound):
        secrets.read(reference)
    secrets.create_scope(ana, "scope", "users")
    secrets.put(ana, PLACE, b"ana's next")
    with pytest.raises(NotFound):
        secrets.read(reference)


def test_bytes_that_are_no_text_are_no_key(people: World) -> None:
    people.access.secrets.create_scope(people.admin, "scope", None)
    people.access.secrets.put(people.admin, PLACE, b"\xff")
    with pytest.raises(InvalidParameterValue):
        people.access.secrets.refer(people.admin, REFERENCE)


def test_a_scope_of_the_name_of_a_deleted_one_is_another(people: World) -> None:
    ana, bob = people.signed_in("ana"), people.signed_in("bob")
    secrets = people.access.secrets
    secrets.create_scope(ana, "scope", "users")
    secrets.put(bob, PLACE, b"x")
    secrets.delete_scope(ana, "scope")
    secrets.create_scope(bob, "scope", None)
    with pytest.raises(NotFound):
        secrets.list(ana, "scope")
    assert secrets.list(bob, "scope") == []


def test_the_creator_keeps_manage(people: World) -> None:
    ana = people.signed_in("ana")
    secrets = people.access.secrets
    secrets.create_scope(ana, "scope", None)
    secrets.put_acl(people.admin, "scope", "ana", "READ")
    with pytest.raises(NotFound):
        secrets.delete_acl(people.admin, "scope", "ana")
    assert secrets.acls(ana, "scope") == {"ana": "MANAGE"}


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "x" * 129, "'; --", "a\x00"])
def test_names_that_cannot_be_are_refused(people: World, name: str) -> None:
    with pytest.raises(InvalidParameterValue):
        people.access.secrets.create_scope(people.admin, name, None)
    people.access.secrets.create_scope(people.admin, "scope", None)
    with pytest.raises(InvalidParameterValue):
        people.access.secrets.put(people.admin, Place("scope", name), b"x")


def test_a_secret_may_have_128_kib(people: World) -> None:
    people.access.secrets.create_scope(people.admin, "scope", None)
    people.access.secrets.put(people.admin, PLACE, bytes(128 * 1024))
    with pytest.raises(InvalidParameterValue):
        people.access.secrets.put(people.admin, PLACE, bytes(128 * 1024 + 1))
    assert people.access.secrets.list(people.admin, "scope")[0].size == 128 * 1024


def test_keys_of_providers_are_encrypted(people: World) -> None:
    kept = people.access.secrets.encrypt("sk-ü")
    assert "sk-" not in kept
    assert people.access.secrets.decrypt(kept) == "sk-ü"
