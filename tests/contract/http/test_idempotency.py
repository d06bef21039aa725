"""`Idempotency-Key` over plain HTTP: one generation, one charge."""

import asyncio
import secrets
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import CHAT, StartServer
from tests.contract.http.conftest import Answer, Http
from tests.e2e.test_ledger import closed_rows, rows

BODY = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}


async def ask(http: Http, key: str, **fields: object) -> Answer:
    return await http.post("/v1/chat/completions", BODY | fields, **{"idempotency-key": key})


async def test_a_key_is_good_for_one_answer_however_many_ask_at_once(http: Http) -> None:
    key = secrets.token_hex(16)
    answers = await asyncio.gather(*(ask(http, key) for _ in range(10)))
    (first,) = [answer for answer in answers if answer.status == 200]
    others = [answer for answer in answers if answer is not first]
    assert {answer.status for answer in others} == {409}
    assert all(first.headers["x-request-id"] in answer.json["error"]["message"] for answer in others)
    assert (await ask(http, key)).status == 409


async def test_another_body_with_the_key_is_422(http: Http) -> None:
    key = secrets.token_hex(16)
    assert (await ask(http, key)).status == 200
    other = await ask(http, key, max_tokens=5)
    assert (other.status, other.json["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_request_that_came_to_nothing_may_be_sent_again(http: Http) -> None:
    key = secrets.token_hex(16)
    refused = await ask(http, key, max_tokens=100_000)
    assert refused.status == 400
    assert (await ask(http, key)).status == 200


@pytest.mark.parametrize("key", ["", "x" * 10_000])
async def test_what_is_no_key_is_400(http: Http, key: str) -> None:
    answer = await ask(http, key)
    assert answer.status == 400
    assert "Idempotency-Key" in answer.json["error"]["message"]


async def test_a_key_outlives_the_server(start_server: StartServer, tmp_path: Path) -> None:
    key = secrets.token_hex(16)
    async with aiohttp.ClientSession() as session:
        server = start_server(home=tmp_path)
        first = await ask(Http(session, server.url, server.token), key)
        assert first.status == 200
        await closed_rows(tmp_path, {first.headers["x-request-id"]})
        server.process.kill()
        server.process.wait()
        server = start_server(home=tmp_path)
        again = await ask(Http(session, server.url, server.token), key)
    assert again.status == 409
    assert first.headers["x-request-id"] in again.json["error"]["message"]
    assert list(rows(tmp_path)) == [first.headers["x-request-id"]]


async def test_an_endpoint_that_wants_it_gives_a_repeated_request_the_first_ones_answer(
    start_server: StartServer, tmp_path: Path
) -> None:
    key, server = secrets.token_hex(16), start_server(home=tmp_path)
    async with aiohttp.ClientSession() as session:
        http = Http(session, server.url, server.token)
        tag = {"add_tags": [{"key": "openfm-replay", "value": "true"}]}
        assert (await http.send("PATCH", f"/api/2.0/serving-endpoints/{CHAT}/tags", tag)).status == 200
        first = await ask(http, key)
        again = await ask(http, key)
        assert (again.status, again.raw) == (200, first.raw)
        assert again.headers["x-request-id"] == first.headers["x-request-id"]
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers
        assert (await ask(http, key, max_tokens=5)).status == 422
        await closed_rows(tmp_path, {first.headers["x-request-id"]})
        assert len(rows(tmp_path)) == 1
    server.end()
