"""Bodies and parameters of the management API that nobody should send: refused with a sentence, never a 500."""

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from tests.conftest import CHAT
from tests.contract.http.conftest import Answer, Http
from tests.contract.http.test_bad_input import CHAT_ROUTES, error_of

_ENDPOINTS, _SCIM = "/api/2.0/serving-endpoints", "/api/2.0/preview/scim/v2"
_LONE = rb"\ud800"
_ROUTES = [
    ("POST", _ENDPOINTS),
    ("PATCH", f"{_ENDPOINTS}/{CHAT}/notifications"),
    ("PATCH", f"{_ENDPOINTS}/{CHAT}/telemetry-config"),
    ("PUT", f"{_ENDPOINTS}/{CHAT}/config"),
    ("POST", "/api/2.0/secrets/scopes/create"),
    ("POST", "/api/2.0/secrets/put"),
    ("POST", "/api/2.0/token/create"),
    ("POST", f"{_SCIM}/Users"),
    ("PATCH", f"{_SCIM}/Groups/1"),
    ("POST", "/api/2.1/unity-catalog/models"),
    ("POST", "/api/2.0/mlflow/unity-catalog/registered-models/create"),
    ("POST", "/api/2.0/fs/files/Models/a/b/c/1/x?action=complete-upload"),
    ("POST", "/api/2.0/fs/create-upload-part-urls"),
]


async def _raw(http: Http, method: str, path: str, body: bytes, token: str | None = None) -> Answer:
    data = io.BytesIO(body)
    headers = {"authorization": f"Bearer {token or http.token}"}
    async with http.session.request(method, http.base + path, data=data, headers=headers) as response:
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, found, await response.read())


@pytest.mark.parametrize(("method", "path"), _ROUTES)
@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "%s"}' % _LONE,
        b'{"name": "x", "%s": 1}' % _LONE,
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": NaN}',
        b'{"name": %s}' % (b"1" * 5000),
        b'{"email_notifications": %s1%s}' % (b"[" * 100, b"]" * 100),
        b'{"email_notifications": %s1%s}' % (b"[" * 900, b"]" * 900),
        b'{"email_notifications": %s1%s}' % (b'{"a":' * 50_000, b"}" * 50_000),
    ],
    ids=["surrogate", "surrogate as key", "surrogate as bytes", "NaN", "digits", "100 deep", "900 deep", "50000 deep"],
)
async def test_what_is_no_text_and_what_is_too_deep_is_refused_by_every_route(
    http: Http, method: str, path: str, body: bytes
) -> None:
    answer = await _raw(http, method, path, body)
    assert answer.status == 400, answer.raw
    assert error_of(answer, path)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/2.0/secrets/put", b'{"scope": "s", "key": "k", "string_value": "%s"}'),
        (f"{_SCIM}/Groups/1", b'{"Operations": [{"op": "add", "path": "%s", "value": "x"}]}'),
        (
            _ENDPOINTS,
            (
                b'{"name": "lone", "config": {"served_entities": [{"external_model": {"provider": "openai","name": "m",'
                b'"task": "llm/v1/chat", "openai_config": {"openai_api_key_plaintext": "%s"}}}]}}'
            ),
        ),
    ],
)
async def test_half_a_surrogate_pair_is_refused_wherever_it_is(http: Http, path: str, body: bytes) -> None:
    answer = await _raw(http, "PATCH" if path.startswith(_SCIM) else "POST", path, body % _LONE)
    assert answer.status == 400
    assert "surrogate" in error_of(answer, path)


async def test_a_body_with_a_byte_order_mark_and_sixty_levels_is_read(http: Http) -> None:
    deep = b"[" * 60 + b"]" * 60
    body = b'\xef\xbb\xbf{"scope": "marked", "unknown": %s}' % deep
    answer = await _raw(http, "POST", "/api/2.0/secrets/scopes/create", body)
    assert answer.status == 200, answer.raw


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
@pytest.mark.parametrize("name", ["%00", "%ED%A0%80", "%FF", "a%00b", "a%0Ab"])
async def test_a_name_in_a_path_that_is_no_text_is_a_callers_mistake(http: Http, method: str, name: str) -> None:
    for root in (_ENDPOINTS, f"{_SCIM}/Users", "/api/2.1/unity-catalog/models", "/api/2.0/token", "/v1/models"):
        url = f"{http.base}{root}/{name}"
        answer = await _asked(http, method, url)
        assert 400 <= answer.status < 500, (url, answer.raw)


@pytest.mark.parametrize("value", ["%00", "%ED%A0%80", "%FF", "9" * 5000, "9" * 400, "-1", "1e3", "x", "%D9%A3"])
async def test_a_parameter_of_a_list_that_is_none_is_a_callers_mistake(http: Http, value: str) -> None:
    for path in (
        "/api/2.1/unity-catalog/models?{}=",
        "/api/2.1/unity-catalog/models/main.default.nothing/versions?{}=",
        "/api/2.0/mlflow/unity-catalog/registered-models/search?{}=",
        "/api/2.0/mlflow/unity-catalog/model-versions/search?filter=name%3D%27a.b.c%27&{}=",
        f"{_SCIM}/Users?{{}}=",
        "/api/2.0/fs/directories/Models/a/b/c/1?{}=",
        "/api/2.0/secrets/list?{}=",
        "/api/2.0/token-management/tokens?{}=",
        f"{_ENDPOINTS}/{CHAT}/served-models/{CHAT}/logs?{{}}=",
    ):
        for name in (
            *("page_token", "max_results", "page_size", "startIndex", "count", "filter", "scope", "sortBy"),
            *("created_by_id", "created_by_username", "attributes", "lines", "tail", "since"),
        ):
            url = http.base + path.format(name) + value
            answer = await _asked(http, "GET", url)
            assert answer.status < 500, (url[:200], answer.raw)


@pytest.mark.parametrize("path", CHAT_ROUTES)
@pytest.mark.parametrize("text", [rb"\ud800", rb"\u0000", b"\xed\xa0\x80", rb"x\udfff"])
async def test_a_message_that_is_no_text_never_breaks_the_data_plane(http: Http, path: str, text: bytes) -> None:
    body = b'{"model": "%s", "max_tokens": 2, "messages": [{"role": "user", "content": "%s"}]}' % (CHAT.encode(), text)
    answer = await _raw(http, "POST", path, body)
    assert answer.status == (200 if text == rb"\u0000" else 400), answer.raw


async def _asked(http: Http, method: str, url: str) -> Answer:
    headers = {"authorization": f"Bearer {http.token}"}
    target = URL(url, encoded=True)
    async with http.session.request(method, target, headers=headers) as response:
        return Answer(response.status, dict(response.headers), await response.read())


# ------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("token", ["dapi0000", None])
async def test_a_stranger_is_refused_before_the_body_is_read(http: Http, token: str | None) -> None:
    answered = asyncio.Event()

    async def unfinished() -> AsyncIterator[bytes]:
        yield b'{"name": "'
        await answered.wait()

    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    async with http.session.post(http.base + _ENDPOINTS, data=unfinished(), headers=headers) as response:
        answered.set()
        assert response.status == 401


@pytest.mark.parametrize("framing", ["chunked", "content-length"])
async def test_a_body_of_50_mb_is_413_with_a_sentence(http: Http, framing: str) -> None:
    size = 50_000_000

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"name": "'
        for _ in range(size // 1_000_000):
            yield b"x" * 1_000_000
        yield b'"}'

    headers = {"authorization": f"Bearer {http.token}"}
    data = pieces() if framing == "chunked" else io.BytesIO(b'{"name": "%s"}' % (b"x" * size))
    async with http.session.post(http.base + _ENDPOINTS, data=data, headers=headers) as response:
        found = Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read())
    assert found.status == 413
    assert "4 MiB" in error_of(found, _ENDPOINTS)


async def test_a_file_may_be_larger_than_a_body_of_json(http: Http) -> None:
    answer = await _raw(http, "PUT", "/api/2.0/fs/files/Models/a/b/c/1/big", b"x" * 12_000_000)
    assert answer.status == 404, answer.raw


async def test_long_answers_are_compressed_for_who_takes_that_and_files_never(http: Http) -> None:
    compressed = await http.send("GET", _ENDPOINTS)
    assert (compressed.headers["content-encoding"], compressed.headers["vary"]) == ("gzip", "Accept-Encoding")
    plain = await http.send("GET", _ENDPOINTS, **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert int(compressed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    short = await http.send("GET", f"{_SCIM}/Me")
    assert "content-encoding" not in short.headers
    file = await http.send("GET", "/api/2.0/openfm/usage/export?format=parquet&from=2026-01-01&to=2026-01-02")
    assert (file.status, file.headers.get("content-encoding")) == (200, None)
