"""Closed rows of a ledger, drawn."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import insert

from openfm.store.database import Database
from openfm.store.ledger_tables import ledger, ledger_corrections

NOVEMBER_US = 1_793_500_000_000_000
_DAY_US = 86_400_000_000


def drawn_rows(count: int, seed: int, days: int = 3) -> Iterator[dict[str, Any]]:
    """So many, numbered from 1 in the order of their closing; times do not follow that order."""
    draw = random.Random(seed)  # noqa: S311  # data, no secret
    for number in range(1, count + 1):
        who, prompt = draw.randrange(5), draw.randrange(1, 3000)
        cached, completion = draw.randrange(prompt + 1), draw.randrange(600)
        received = NOVEMBER_US + draw.randrange(days * _DAY_US)
        yield {
            "request_id": f"{number:032x}",
            "gateway": "g",
            "principal_id": f"p{who}",
            "principal_name": f"user{who}@example.org",
            "principal_kind": "user",
            "token_id": None,
            "endpoint_id": f"e{who % 2}",
            "endpoint_name": f"chat-{who % 2}",
            "served_entity": "s",
            "entity_name": "main.default.model",
            "entity_version": "1",
            "config_version": 1,
            "task": "llm/v1/chat",
            "client_request_id": None,
            "tags": {"team": f"t{who % 3}"},
            "is_streaming": bool(number % 2),
            "received_us": received,
            "reserved_prompt_tokens": prompt,
            "reserved_completion_tokens": completion,
            "state": "SETTLED",
            "status": 200 if number % 10 else 500,
            "finish_reason": "stop",
            "admitted_us": received + 10,
            "first_token_us": received + draw.randrange(20_000, 900_000),
            "finished_us": received + draw.randrange(1_000_000, 9_000_000),
            "queue_us": draw.randrange(1000),
            "generated_prompt": prompt,
            "generated_completion": completion,
            "generated_cached": cached,
            "generated_reasoning": 0,
            "billed_prompt": prompt,
            "billed_completion": completion,
            "billed_cached": cached,
            "billed_reasoning": 0,
            "is_estimated": False,
            "cost_pico": draw.randrange(10**12),
            "currency": "USD",
            "price_version": 1,
            "closing_number": number,
        }


def correct(database: Database, number: int, cost_pico: int) -> None:
    """Correct what a row cost."""
    facts = {"currency": "USD", "price_version": 1, "reason": "it's wrong", "created_by": "admin"}
    with database.transaction() as connection:
        connection.execute(
            insert(ledger_corrections).values(
                id=f"c{number}",
                request_id=f"{number:032x}",
                cost_pico=cost_pico,
                created_us=NOVEMBER_US,
                charge_number=number,
                **facts,
            )
        )


def insert_rows(database: Database, rows: Sequence[dict[str, Any]]) -> None:
    """Put them into the ledger."""
    with database.transaction() as connection:
        connection.execute(insert(ledger), rows)
