"""Prices are set and listed, and an invoice shows what was used."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import CHAT
from tests.contract.http.conftest import Http

PRICES = "/api/2.0/openfm/prices"
INVOICE = "/api/2.0/openfm/usage/invoice"


def price(**fields: object) -> dict[str, object]:
    return {"endpoint": "no-such-endpoint", "currency": "USD", "prompt": "0.25", **fields}


async def test_a_price_is_listed_as_it_was_set(http: Http) -> None:
    made = await http.post(PRICES, price(completion=1.5, effective_from="2999-01-01T00:00:00+01:00"))
    assert made.status == 200, made.raw
    assert made.json["effective_from"] == "2998-12-31T23:00:00+00:00"
    assert (made.json["prompt"], made.json["completion"], made.json["currency"]) == ("0.25", "1.5", "USD")
    assert made.json in (await http.get(PRICES)).json["prices"]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"currency": None}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"prompt": "-1"}, "prompt"),
        ({"prompt": "1e999"}, "prompt"),
        ({"prompt": "nan"}, "prompt"),
        ({"prompt": "0.0000001"}, "six decimals"),
        ({"prompt": "1." + "0" * 35 + "1"}, "six decimals"),
        ({"currency": "ZZZ"}, "ISO 4217"),
        ({"prompt": "cheap"}, "decimal number"),
        ({"prompt": None}, "amount"),
        ({"endpoint": None}, "entity_name"),
        ({"entity_name": "a.b.c"}, "either"),
        ({"endpoint": "a b"}, "endpoint"),
        ({"endpoint": "\x00"}, "endpoint"),
        ({"endpoint": "x" * 10_000}, "endpoint"),
        ({"effective_from": "tomorrow"}, "effective_from"),
        ({"effective_from": "2026-12-01T00:00:00"}, "zone"),
        ({"effective_from": "0001-01-01T00:00:00+23:00"}, "effective_from"),
    ],
)
async def test_a_price_that_cannot_be_is_refused_with_a_sentence(
    http: Http, fields: dict[str, object], word: str
) -> None:
    before = (await http.get(PRICES)).raw
    answer = await http.post(PRICES, price(**fields))
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert word in answer.json["message"]
    assert (await http.get(PRICES)).raw == before


@pytest.mark.parametrize("query", ["", "month=2026-13", "month=2026", "month=٢٠٢٦-11", "month=2026-11&format=pdf"])
async def test_an_invoice_of_no_month_or_form_is_refused(http: Http, query: str) -> None:
    answer = await http.get(f"{INVOICE}?{query}")
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


async def test_a_request_is_on_the_invoice_with_its_tokens(http: Http) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    before = await tokens(http, month)
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    usage = (await http.post(f"/serving-endpoints/{CHAT}/invocations", body)).json["usage"]
    async with asyncio.timeout(10):
        while await tokens(http, month) < before + usage["total_tokens"]:
            pass  # the writer brings it within a second
    assert CHAT in (await http.get(f"{INVOICE}?month={month}&format=text")).raw.decode()
    assert (await http.get(f"{INVOICE}?month={month}&format=csv")).headers["content-type"].startswith("text/csv")


async def tokens(http: Http, month: str) -> int:
    lines: list[Any] = (await http.get(f"{INVOICE}?month={month}")).json["lines"]
    return sum(line["prompt_tokens"] + line["completion_tokens"] for line in lines if line["endpoint"] == CHAT)
