"""A million operations in one run, with crashes, retries and clocks that jump: tokens, limits and money are right."""

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from openfm.core.invoice import Month
from openfm.core.ledger import LedgerState
from openfm.core.price_book import cost
from openfm.core.principal import Principal
from openfm.core.usage import TokenCounts
from openfm.metering.invoices import InvoiceDesk
from openfm.store.budget_tables import budget_spent
from openfm.store.ledger_tables import ledger
from tests.integration.money_world import World

_ADMIN = Principal("1", "admin", is_admin=True)


@pytest.mark.parametrize(
    ("operations", "gateways", "seed"),
    [(6_000, 1, 1), (6_000, 8, 2), pytest.param(1_000_000, 8, 3, marks=pytest.mark.slow)],
)
@pytest.mark.timeout(600)
async def test_whatever_happens_tokens_limits_and_money_are_right(
    tmp_path: Path, operations: int, gateways: int, seed: int
) -> None:
    world, began = World(tmp_path, seed, gateways), time.perf_counter()
    for _ in range(operations):
        await world.operate()
    await world.close()
    count = world.count
    sys.stdout.write(f"\n{count.operations:,} operations in {time.perf_counter() - began:.0f} s: {count}\n")
    assert count.operations == operations
    assert count.admitted > operations // 20
    _judge_rows(world)
    _judge_money(world)
    world.database.close()


def _judge_rows(world: World) -> None:
    columns = ("request_id", "state", "billed_prompt", "billed_completion", "generated_completion", "cost_pico")
    with world.database.transaction() as connection:
        rows = connection.execute(select(*(ledger.c[name] for name in columns))).all()
        last = connection.execute(select(func.max(ledger.c.closing_number))).scalar_one()
    billed = {row.request_id: TokenCounts(row.billed_prompt, row.billed_completion) for row in rows}
    assert billed == world.billed, "each request is billed once, what is known to be delivered"
    assert all(row.state in (LedgerState.SETTLED, LedgerState.ABORTED) for row in rows)
    assert all(row.cost_pico == cost(billed[row.request_id], world.price) for row in rows)
    assert last == len(rows)
    in_ledger = sum(row.generated_completion for row in rows)
    assert in_ledger == sum(world.generated.values())
    assert in_ledger + world.lost == world.count.engine_tokens, (
        "what the engines made is in the ledger, or died with a gateway"
    )
    sys.stdout.write(f"ledger {in_ledger:,} + killed {world.lost:,} = engines {world.count.engine_tokens:,} tokens\n")
    assert list(world.folder.path.glob("*")) == []


def _judge_money(world: World) -> None:
    with world.database.transaction() as connection:
        total = sum(connection.execute(select(ledger.c.cost_pico)).scalars())
        spent = connection.execute(select(budget_spent)).all()
    by_budget: dict[str, int] = {}
    names = {budget.id: budget for budget in world.book.state.budgets}
    for row in spent:
        assert 0 <= int(row.pico) <= names[row.budget_id].amount_pico, "a budget was passed"
        name = names[row.budget_id].name
        by_budget[name] = by_budget.get(name, 0) + int(row.pico)
    assert by_budget["month"] == by_budget["day"] == total
    assert all(world.budgets.held_pico(key) == 0 for key in world.closed), "nothing is held any more"
    desk, invoiced = InvoiceDesk(world.database, lambda: world.now_us), Decimal(0)
    for number in range(24):
        body = json.loads(desk.invoice(Month(2026 + number // 12, number % 12 + 1), _ADMIN, "json"))
        invoiced += Decimal(body["totals"].get("USD", "0"))
    assert invoiced == Decimal(total) / 10**12, "invoices are the rows, to the last digit"
