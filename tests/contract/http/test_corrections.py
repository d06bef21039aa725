"""Corrections over plain HTTP: made by an admin, seen by whom they are about, and refused where they make no sense."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from tests.conftest import CHAT
from tests.contract.http.conftest import Answer, Http

CORRECTIONS = "/api/2.0/openfm/usage/corrections"


async def once_closed(http: Http, about: dict[str, str]) -> Answer:
    """The answer to a correction of a request whose row is closed in the ledger."""
    async with asyncio.timeout(30):
        while True:
            answer = await http.post(CORRECTIONS, about)
            if answer.status not in (404, 409):
                return answer
            await asyncio.sleep(0.1)


async def test_a_request_that_costs_nothing_gives_nothing_back_but_can_be_charged(http: Http) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
    answer = await http.post("/v1/chat/completions", body)
    request_id = answer.headers["x-request-id"]
    about = {"request_id": request_id, "reason": "a test"}
    refused = await once_closed(http, about)
    assert (refused.status, refused.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    made = await http.post(CORRECTIONS, about | {"amount": "0.000000000007"})
    assert made.status == 200, made.raw
    assert (made.json["amount"], made.json["cost"], made.json["currency"]) == ("0.000000000007",) * 2 + ("DBU",)
    again = await http.post(CORRECTIONS, about | {"amount": "0.000000000007"})
    assert (again.status, again.json["error_code"]) == (409, "RESOURCE_CONFLICT")
    listed = await http.get(f"{CORRECTIONS}?month={datetime.now(UTC):%Y-%m}")
    assert request_id in {one["request_id"] for one in listed.json["corrections"]}


async def test_corrections_that_make_no_sense_are_refused(http: Http) -> None:
    unknown = await http.post(CORRECTIONS, {"request_id": "nobody's", "reason": "a test"})
    assert (unknown.status, unknown.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    for wrong in ({"amount": "0"}, {"amount": "1e9"}, {"amount": "much"}, {"reason": " "}, {"reason": "x" * 501}):
        refused = await http.post(CORRECTIONS, {"request_id": "r", "reason": "a test"} | wrong)
        assert refused.status == 400, refused.raw
    assert (await http.get(f"{CORRECTIONS}?month=2026-13")).status == 400


async def test_only_admins_correct(http: Http) -> None:
    await http.post("/api/2.0/preview/scim/v2/Users", {"userName": "corrector@example.com"})
    made = await http.post("/api/2.0/token-management/on-behalf-of/tokens", {"application_id": "corrector@example.com"})
    user = replace(http, token=made.json["token_value"])
    assert (await user.post(CORRECTIONS, {"request_id": "r", "reason": "mine"})).status == 403
    assert (await user.get(f"{CORRECTIONS}?month={datetime.now(UTC):%Y-%m}")).json == {"corrections": []}
