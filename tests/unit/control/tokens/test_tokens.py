"""Tokens: what is kept of them, and when they are refused."""

import pytest

from openfm.control.identity.scim_patch import Operation
from openfm.control.identity.scim_resources import parse_draft
from openfm.control.permissions.objects import ObjectType
from openfm.control.permissions.repository import Thing
from openfm.control.permissions.service import Entry
from openfm.control.tokens.service import TokenRequest
from openfm.core.errors import InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.principal import PrincipalKind
from tests.unit.control.access_world import ADMIN_TOKEN, World

HOUR_MS = 3_600_000


def test_a_token_ends_to_the_millisecond(people: World) -> None:
    people.user("ana")
    token = people.token("ana", lifetime_s=3600)
    people.clock.now += HOUR_MS - 1
    assert people.is_known(token)
    people.clock.now += 1
    assert not people.is_known(token)


def test_tokens_outlive_a_restart_and_only_their_hashes_are_kept(people: World) -> None:
    people.user("ana")
    token = people.token("ana")
    owner = people.reopened().token_book.verify(token)
    assert owner is not None
    assert owner.name == "ana"
    stored = (people.folder / "openfm.db").read_bytes() + (people.folder / "openfm.db-wal").read_bytes()
    assert token.encode() not in stored
    assert ADMIN_TOKEN.encode() not in stored


@pytest.mark.parametrize("token", ["", "dapi", "ünïcode", "\udcff".encode("utf-8", "replace").decode(), "x" * 100_000])
def test_what_is_no_token_is_nobodys(people: World, token: str) -> None:
    assert not people.is_known(token)


@pytest.mark.parametrize("lifetime", [0, -1, 2**63, 10**30])
def test_lifetimes_that_cannot_be_are_refused_and_nothing_is_made(people: World, lifetime: int) -> None:
    with pytest.raises(InvalidParameterValue) as refused:
        people.access.tokens.create(people.admin, TokenRequest(lifetime_s=lifetime))
    assert refused.value.param == "lifetime_seconds"
    assert people.access.tokens.own(people.admin) == []


@pytest.mark.parametrize("comment", ["a\nb", "\x1b[31m", "x" * 257])
def test_comments_that_a_terminal_would_not_survive_are_refused(people: World, comment: str) -> None:
    with pytest.raises(InvalidParameterValue):
        people.access.tokens.create(people.admin, TokenRequest(comment))


def test_nobody_has_tokens_without_end(people: World) -> None:
    for _ in range(600):
        people.access.tokens.create(people.admin, TokenRequest())
    with pytest.raises(InvalidParameterValue):
        people.access.tokens.create(people.admin, TokenRequest())
    assert len(people.access.tokens.own(people.admin)) == 600


def test_when_a_token_was_used_is_kept_when_somebody_asks_or_the_server_ends(people: World) -> None:
    people.user("ana")
    token = people.token("ana")
    (record,) = people.access.tokens.every(None, None)
    assert record.last_used_at is None
    people.clock.now += 5
    assert people.is_known(token)
    people.access.close()
    (record,) = people.reopened().tokens.every(None, None)
    assert record.last_used_at == people.clock.now


def test_who_loses_can_use_has_no_tokens_any_more_but_admins_do(people: World) -> None:
    ana = people.signed_in("ana")
    token = people.token("ana")
    thing = Thing(ObjectType.TOKENS, "tokens")
    people.access.permissions.replace(thing, [])
    assert not people.is_known(token)
    with pytest.raises(PermissionDenied):
        people.access.tokens.create(ana, TokenRequest())
    with pytest.raises(InvalidParameterValue, match="CAN_USE"):
        people.token("ana")
    people.access.tokens.create(people.admin, TokenRequest())
    people.access.permissions.merge(thing, [Entry(PrincipalKind.USER, "ana", "CAN_USE")])
    assert people.is_known(token)
    assert not people.reopened().permissions.get(thing)[0].is_owner, "and a restart gives nothing back"


def test_a_token_for_nobody_is_not_made(people: World) -> None:
    with pytest.raises(NotFound):
        people.token("'; DROP TABLE access_tokens; --")


class TestOAuth:
    @pytest.fixture
    def robot(self, people: World) -> tuple[str, str]:
        """Id and application id of a service principal."""
        kind = PrincipalKind.SERVICE_PRINCIPAL
        record = people.access.principals.create(kind, parse_draft(kind, {"displayName": "robot"})).record
        return record.id, record.name

    def test_id_and_secret_bring_an_access_token_for_an_hour(self, people: World, robot: tuple[str, str]) -> None:
        secret = people.access.client_secrets.create(robot[0], None).value
        token = people.access.client_secrets.access_token(robot[1], secret)
        assert token is not None
        assert people.caller(token).name == robot[1]
        assert people.reopened().token_book.verify(token) is not None
        people.clock.now += HOUR_MS
        assert not people.is_known(token)

    def test_wrong_ids_and_secrets_bring_nothing(self, people: World, robot: tuple[str, str]) -> None:
        secret = people.access.client_secrets.create(robot[0], "3600s").value
        ask = people.access.client_secrets.access_token
        assert ask(robot[1], secret + "x") is None
        assert ask("admin", secret) is None
        assert ask(robot[1], "") is None
        people.clock.now += HOUR_MS
        assert ask(robot[1], secret) is None, "it has expired"

    def test_a_token_does_not_outlive_its_secret(self, people: World, robot: tuple[str, str]) -> None:
        made = people.access.client_secrets.create(robot[0], "60s")
        token = people.access.client_secrets.access_token(robot[1], made.value)
        assert token is not None
        people.clock.now += 60_000
        assert not people.is_known(token)

    def test_a_deactivated_client_is_out_at_once(self, people: World, robot: tuple[str, str]) -> None:
        secret = people.access.client_secrets.create(robot[0], None).value
        token = people.access.client_secrets.access_token(robot[1], secret)
        off = Operation("replace", "active", "false")
        people.access.principals.patch(PrincipalKind.SERVICE_PRINCIPAL, robot[0], [off])
        assert token is not None
        assert not people.is_known(token)
        assert people.access.client_secrets.access_token(robot[1], secret) is None

    def test_access_tokens_are_in_no_list(self, people: World, robot: tuple[str, str]) -> None:
        secret = people.access.client_secrets.create(robot[0], None).value
        people.access.client_secrets.access_token(robot[1], secret)
        assert people.access.tokens.every(None, None) == []

    @pytest.mark.parametrize("lifetime", ["", "x", "-1s", "0s", "1h", "9" * 12 + "s"])
    def test_lifetimes_of_secrets_that_cannot_be_are_refused(
        self, people: World, robot: tuple[str, str], lifetime: str
    ) -> None:
        with pytest.raises(InvalidParameterValue):
            people.access.client_secrets.create(robot[0], lifetime)

    def test_a_sixth_secret_is_refused(self, people: World, robot: tuple[str, str]) -> None:
        for _ in range(5):
            people.access.client_secrets.create(robot[0], None)
        with pytest.raises(InvalidParameterValue):
            people.access.client_secrets.create(robot[0], None)
