"""Bodies of the management API: whose, how large, and whether they are JSON."""

import json
from collections.abc import Iterable, MutableMapping
from typing import Any

import pytest

from openfm.control.access import MANAGEMENT, Who
from openfm.control.bodies import DEEPEST, LARGEST_BODY, JsonBodies, check_json
from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.core.errors import InvalidParameterValue

_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")
_OPEN = [
    route for route, who in MANAGEMENT.items() if who in (Who.ANYBODY, Who.BEARER_OF_URL) and route[0] in _WITH_BODY
]


class Exchange:
    """One request and what became of it: the body that the application saw, or the status of a refusal."""

    def __init__(self, pieces: Iterable[bytes] = (b"{}",)) -> None:
        self._pieces = iter(pieces)
        self.taken = 0
        self.seen: bytes | None = None
        self.status: int | None = None

    async def run(self, method: str, path: str, token: str | None) -> "Exchange":
        """Send it."""
        headers = [] if token is None else [(b"authorization", b"Bearer " + token.encode())]
        scope = {"type": "http", "method": method, "path": path, "headers": headers}
        await JsonBodies(self._app, TokenBook({"known": ADMIN}))(scope, self._receive, self._send)
        return self

    async def _app(self, _scope: Any, receive: Any, _send: Any) -> None:
        self.seen = (await receive())["body"]

    async def _receive(self) -> MutableMapping[str, Any]:
        piece = next(self._pieces, None)
        self.taken += len(piece or b"")
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)


@pytest.mark.parametrize(("method", "path"), _OPEN)
async def test_routes_without_a_token_are_left_alone(method: str, path: str) -> None:
    assert (await Exchange().run(method, path, None)).seen == b"{}"


@pytest.mark.parametrize("token", [None, "unknown"])
async def test_nothing_is_read_of_a_strangers_body(token: str | None) -> None:
    refused = await Exchange([b"{}"] * 100).run("POST", "/api/2.0/serving-endpoints", token)
    assert (refused.status, refused.taken, refused.seen) == (401, 0, None)


async def test_no_more_is_read_of_an_endless_body_than_lets_its_sender_see_the_refusal() -> None:
    refused = await Exchange(iter(lambda: b" " * 1_000_000, None)).run("POST", "/api/2.0/secrets/put", "known")
    assert (refused.status, refused.seen) == (413, None)
    assert refused.taken < 5 * LARGEST_BODY


async def test_the_largest_body_arrives_in_one_piece() -> None:
    pieces = [b'"', *[b"x" * 1024] * ((LARGEST_BODY >> 10) - 1), b'"']
    assert (await Exchange(pieces).run("PATCH", "/api/2.0/x", "known")).seen == b"".join(pieces)


async def test_a_file_is_handed_on_as_it_comes() -> None:
    sent = await Exchange([b"\xff" * 3, b"rest"]).run("PUT", "/api/2.0/fs/files/Models/a/b/c/1/x", "known")
    assert sent.seen == b"\xff" * 3


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '"\\ud83d\\ude00"', '"' + "[" * 1000 + '"', '{"a": "\\u0000"}', "1e5"]
)
def test_json_is_json(text: str) -> None:
    check_json(text.encode())


@pytest.mark.parametrize("text", ["{", "x", "NaN", "[Infinity]", '"\\ud800"', '{"\\udfff": 1}', "9" * 5000, "a=b"])
def test_what_no_part_of_openfm_could_write_again_is_none(text: str) -> None:
    with pytest.raises(InvalidParameterValue, match="JSON in UTF-8"):
        check_json(text.encode())


@pytest.mark.parametrize("around", [("[", "]"), ('{"a":', "}")])
def test_nesting_has_a_limit(around: tuple[str, str]) -> None:
    first, last = around
    check_json((first * DEEPEST + "1" + last * DEEPEST).encode())
    for depth in (DEEPEST + 1, 900, 100_000):
        with pytest.raises(InvalidParameterValue, match="nested"):
            check_json((first * depth + "1" + last * depth).encode())


def test_many_brackets_side_by_side_are_not_deep() -> None:
    check_json(json.dumps([[{}] for _ in range(1000)]).encode())
