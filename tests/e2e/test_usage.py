"""What an operator reads of usage: reports, inference tables, hours of model units, retention; by command and REST."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from tests.conftest import CHAT, Server, StartServer, clean_environment
from tests.e2e.load import Management

_SEEN_AFTER_S = 3.0  # what is READY is looked at each second


def openfm(server: Server, *words: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "openfm", *words, "--url", server.url, "--token", server.token]
    done = subprocess.run(command, env=clean_environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def ask(session: aiohttp.ClientSession, server: Server, endpoint: str, **body: object) -> int:
    """A chat request; its status."""
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4} | body
    url, headers = f"{server.url}/serving-endpoints/{endpoint}/invocations", {"authorization": f"Bearer {server.token}"}
    async with session.post(url, json=asked, headers=headers) as answer:
        await answer.read()
        return answer.status


def rows(server: Server, endpoint: str) -> list[dict[str, Any]]:
    """The endpoint's inference table."""
    found: list[dict[str, Any]] = json.loads(openfm(server, "endpoints", "requests", endpoint, "-o", "json"))
    return found


def asked(server: Server, question: str) -> dict[str, Any]:
    """The only row of an answer in SQL."""
    (found,) = json.loads(openfm(server, "sql", "-o", "json", question))
    row: dict[str, Any] = found
    return row


def unit_hours(server: Server, month: str) -> list[dict[str, Any]]:
    """Those lines of the invoice."""
    found: dict[str, Any] = json.loads(openfm(server, "usage", "invoice", "--month", month, "-o", "json"))
    hours: list[dict[str, Any]] = found.get("unit_hours", [])
    return hours


async def until(look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What there is, as soon as there is something."""
    async with asyncio.timeout(30):
        while True:
            if found := look():
                return found
            await asyncio.sleep(0.3)


@pytest.mark.timeout(300)
async def test_an_operators_day(start_server: StartServer) -> None:
    server = start_server()
    async with aiohttp.ClientSession() as session:
        admin = Management(server, session)
        price = {"endpoint": "*", "currency": "USD", "completion": "1", "model_unit_hour": "3600"}
        await admin.ask("POST", "/api/2.0/openfm/prices", price)
        shown: Any = await admin.ask("GET", f"/api/2.0/serving-endpoints/{CHAT}")
        entity = shown["config"]["served_entities"][0]
        served = {
            "entity_name": entity["entity_name"],
            "entity_version": entity["entity_version"],
            "provisioned_model_units": 2,
        }
        table = {"inference_table_config": {"enabled": True, "catalog_name": "main", "schema_name": "llm"}}
        config = {"served_entities": [served]}
        await admin.ask("POST", "/api/2.0/serving-endpoints", {"name": "pt", "config": config, "ai_gateway": table})
        await admin.settled("pt")
        ready_s = time.monotonic()
        assert await ask(session, server, "pt", usage_context={"team": "red"}, client_request_id="mine") == 200
        assert await ask(session, server, "pt", max_tokens=-1) == 400
        assert await ask(session, server, CHAT) == 200
        refused, row = await until(lambda: found if len(found := rows(server, "pt")) > 1 else [])
        assert (refused["status_code"], refused["served_entity_id"]) == (400, "")
        assert (row["client_request_id"], row["status_code"], row["requester"]) == ("mine", 200, "admin")
        assert json.loads(row["request"])["usage_context"] == {"team": "red"}
        assert json.loads(row["response"])["choices"]
        assert rows(server, CHAT) == [], "off by default"
        while time.monotonic() < ready_s + _SEEN_AFTER_S:
            assert await ask(session, server, "pt") == 200
        await admin.ask("POST", "/api/2.0/serving-endpoints/pt/config:stop")
        day, month = row["request_date"], row["request_date"][:7]
        (line,) = await until(lambda: unit_hours(server, month))
    assert line["endpoint"] == "pt"
    assert int(line["amount"]) == int(line["unit_seconds"]), "3600 USD an hour is one a second"
    report = openfm(server, "usage", "report", "--by", "tag:team", "--from", f"{month}-01", "--to", day)
    assert "red" in report
    assert "TAG:TEAM" in report
    assert "for ever" in openfm(server, "usage", "retention")
    assert json.loads(openfm(server, "usage", "retention", "--sweep", "-o", "json"))["swept_ledger_rows"] == 0
    correct, about = ("usage", "correct", row["databricks_request_id"]), ("--reason", "forgotten", "-o", "json")
    charged = json.loads(openfm(server, *correct, "--amount", "0.5", *about))
    back = json.loads(openfm(server, *correct, "--amount", "-0.5", *about))
    assert (charged["amount"], back["amount"], back["currency"]) == ("0.5", "-0.5", "USD")
    assert back["cost"] == format(Decimal(charged["cost"]) - Decimal("0.5"), "f").rstrip("0").rstrip(".")
    assert openfm(server, "usage", "invoice", "--month", month).count("forgotten") == 2
    joined = "main.llm.pt_payload JOIN system.serving.endpoint_usage USING (databricks_request_id, served_entity_id)"
    assert asked(server, f"SELECT count(*) AS count FROM {joined}")["count"] > 0
    invoiced = json.loads(openfm(server, "usage", "invoice", "--month", month, "-o", "json"))["totals"]
    billed = asked(server, "SELECT sum(cost) AS cost FROM system.billing.usage")
    assert Decimal(billed["cost"]) == Decimal(invoiced["USD"])
    assert openfm(server, "usage", "corrections", "--month", month).count("forgotten") == 2
    assert "2.5" in openfm(server, "limits", "set-weight", "2.5", "--user", "admin")
    assert "2.5" in openfm(server, "limits", "list")
    openfm(server, "limits", "delete-weight", "--user", "admin")
    assert "2.5" not in openfm(server, "limits", "list")
