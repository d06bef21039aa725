"""Signing in to the pages: what a cookie is good for, and for how long."""

from dataclasses import dataclass

import pytest
from cryptography.fernet import Fernet

from openfm.control.identity.token_book import ADMIN, KnownToken, TokenBook, hash_token
from openfm.control.secrets.cipher import Cipher
from openfm.control.sessions.service import BEARER_LIFETIME_S, COOKIE_LIFETIME_S, Sessions
from openfm.core.errors import Unauthenticated
from openfm.core.principal import Principal

_ANN = Principal(id="7", name="ann@example.com", is_admin=False, token_id="t1")


@dataclass
class World:
    """A token book with the admin's token and Ann's, and a clock that the test moves."""

    now_ms: int = 1_000

    def __post_init__(self) -> None:
        self.cipher = Cipher(Fernet.generate_key())
        self.book = TokenBook({"admin": ADMIN}, lambda: self.now_ms)
        self.book.put({hash_token("anns"): KnownToken(_ANN, None)})
        self.sessions = Sessions(self.book, self.cipher)


@pytest.fixture
def world() -> World:
    return World()


def test_a_bearer_stands_for_the_owner_of_the_token(world: World) -> None:
    session = world.sessions.sign_in("anns")
    assert world.book.verify(session.bearer) == _ANN == session.principal


@pytest.mark.parametrize("token", ["", "nobodys", "ofmui" + "0" * 64])
def test_an_unknown_token_signs_nobody_in(world: World, token: str) -> None:
    with pytest.raises(Unauthenticated):
        world.sessions.sign_in(token)


def test_a_bearer_ends_by_itself_and_the_cookie_brings_another(world: World) -> None:
    session = world.sessions.sign_in("anns")
    world.now_ms += BEARER_LIFETIME_S * 1000
    assert world.book.verify(session.bearer) is None
    renewed = world.sessions.renewed(session.cookie)
    assert renewed is not None
    assert world.book.verify(renewed.bearer) == _ANN


def test_a_revoked_token_takes_cookie_and_bearer_with_it(world: World) -> None:
    session = world.sessions.sign_in("anns")
    world.book.put({})
    assert world.book.verify(session.bearer) is None
    assert world.sessions.renewed(session.cookie) is None


def test_a_cookie_ends(world: World) -> None:
    session = world.sessions.sign_in("anns")
    world.now_ms += COOKIE_LIFETIME_S * 1000
    assert world.sessions.renewed(session.cookie) is None


def test_a_bearer_is_no_token_to_sign_in_with(world: World) -> None:
    with pytest.raises(Unauthenticated):
        world.sessions.sign_in(world.sessions.sign_in("anns").bearer)


def test_neither_cookie_nor_bearer_is_the_token_or_its_hash(world: World) -> None:
    session = world.sessions.sign_in("anns")
    for secret in ("anns", hash_token("anns").hex()):
        assert secret not in session.cookie
        assert secret not in session.bearer


def test_a_cookie_opens_no_route_as_a_bearer(world: World) -> None:
    assert world.book.verify(world.sessions.sign_in("anns").cookie) is None


@pytest.mark.parametrize("cookie", ["", "x", "gAAAAAB" + "A" * 80])
def test_what_is_no_cookie_of_ours_signs_nobody_in(world: World, cookie: str) -> None:
    assert world.sessions.renewed(cookie) is None


def test_another_secret_of_the_server_is_no_cookie(world: World) -> None:
    other = world.cipher.encrypt(b'{"purpose": "secret", "digest": "%s", "ends_at": 99999999}' % b"00")
    assert world.sessions.renewed(other) is None


def test_signing_out_ends_the_bearer(world: World) -> None:
    session = world.sessions.sign_in("anns")
    world.sessions.end(session.bearer)
    assert world.book.verify(session.bearer) is None


def test_bearers_that_ended_are_forgotten(world: World) -> None:
    for _ in range(50):
        world.sessions.sign_in("anns")
        world.now_ms += BEARER_LIFETIME_S * 1000
    assert len(world.book._sessions) <= 2
