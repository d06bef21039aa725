"""The work beside the requests that is about usage: budgets, model units, payloads, daily sums, retention."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openfm.control.budgets.bookkeeping import BudgetBookkeeper
from openfm.limits.budget_store import BudgetStore, InProcessBudgets
from openfm.metering.day_sums import SumKeeper
from openfm.metering.keeping import RetentionDesk
from openfm.metering.payloads import PayloadWriter
from openfm.metering.refusals import RefusalWriter
from openfm.metering.unit_hours import UnitHourWriter
from openfm.server.background import cancelled, started
from openfm.server.engine_room import EngineRoom
from openfm.server.provisioned import ReadyProvisioned
from openfm.server.state import State, now_us
from openfm.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Accounts:
    """What others need of it."""

    payloads: PayloadWriter
    refusals: RefusalWriter
    retention: RetentionDesk


@asynccontextmanager
async def open_accounts(
    state: State, room: EngineRoom, budgets: BudgetStore | None, retention: RetentionDesk, metrics: Metrics
) -> AsyncIterator[Accounts]:
    """All of it runs; what an earlier server left is counted for the budgets before anybody spends.

    Without `budgets` gateways count for them.
    """
    if budgets is None:
        counting = BudgetBookkeeper(state.database, state.budgets, InProcessBudgets(), metrics).follow()
    else:
        bookkeeper = BudgetBookkeeper(state.database, state.budgets, budgets, metrics)
        while await bookkeeper.turn():
            pass
        counting = bookkeeper.run(now_us)
    payloads, refusals = PayloadWriter(state.database, metrics.payload_dropped), RefusalWriter(state.database)
    tasks = [
        started(counting, "budgets"),
        started(UnitHourWriter(state.database, ReadyProvisioned(state, room)).run(), "hours of model units"),
        started(payloads.run(), "inference tables"),
        started(refusals.run(), "refusals"),
        started(SumKeeper(state.database).run(), "daily sums"),
        started(retention.run(), "retention"),
    ]
    try:
        yield Accounts(payloads, refusals, retention)
    finally:
        await cancelled(tasks)
