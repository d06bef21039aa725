"""`/api/2.0/openfm/budgets`: how much money may be spent, and how much is; for admins to set and remove."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import StrictInt

from openfm.control.budgets.service import BudgetBook, BudgetRequest, Standing, visible
from openfm.control.endpoints.inputs import Input
from openfm.control.identity.caller import Caller
from openfm.core.budget import BudgetAction, BudgetPeriod, BudgetScope
from openfm.core.errors import NotFound
from openfm.core.price import shown_pico

router = APIRouter(prefix="/api/2.0/openfm/budgets")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BudgetInput(Input):
    """A budget to set. `amount` is a decimal number; `target` a name, or key=value of a tag."""

    amount: str
    currency: str | None = None
    period: str = BudgetPeriod.MONTH
    scope: str = BudgetScope.ALL
    target: str | None = None
    action: str = BudgetAction.STOP
    alerts: list[StrictInt] | None = None


def _book(request: Request) -> BudgetBook:
    book: BudgetBook = request.app.state.budgets
    return book


AtBook = Annotated[BudgetBook, Depends(_book)]


@router.get("")
def list_budgets(caller: Caller, book: AtBook) -> dict[str, Any]:
    """The budgets that are for the caller, its groups or everybody; for admins, all."""
    return {"budgets": [shown(one) for one in visible(book.standings(), caller)]}


@router.get("/{budget}")
def get_budget(budget: str, caller: Caller, book: AtBook) -> dict[str, Any]:
    """One, with what was spent in each of its periods."""
    standing = book.standing(budget)
    if not visible([standing], caller):
        raise NotFound(f"There is no budget called '{budget}' for you. `openfm budgets list` shows yours.")
    periods = book.history(standing.budget)
    return shown(standing) | {"history": [{"start": _time(at), "spent": shown_pico(pico)} for at, pico in periods]}


@router.put("/{budget}")
def set_budget(budget: str, body: BudgetInput, book: AtBook) -> dict[str, Any]:
    """Set a budget, in the place of the one of that name."""
    request = BudgetRequest(
        name=budget,
        amount=body.amount,
        currency=body.currency,
        scope=body.scope,
        target=body.target,
        period=body.period,
        action=body.action,
        alerts=body.alerts or (),
    )
    return shown(book.set(request))


@router.delete("/{budget}")
def delete_budget(budget: str, book: AtBook) -> dict[str, Any]:
    """Remove a budget."""
    book.delete(budget)
    return {}


def shown(standing: Standing) -> dict[str, Any]:
    """A budget as clients see it. `spent` is what the ledger's closed rows cost."""
    budget = standing.budget
    amount = budget.amount_pico
    facts: dict[str, Any] = {
        "name": budget.name,
        "scope": budget.scope.value,
        "target": budget.target,
        "amount": shown_pico(amount),
        "currency": budget.currency,
        "period": budget.period.value,
        "action": budget.action.value,
        "alerts": list(budget.alerts),
        "spent": shown_pico(standing.spent_pico),
        "left": shown_pico(max(0, amount - standing.spent_pico)),
        "percent": standing.spent_pico * 100 // amount if amount else None,
        "alerted_percent": standing.alerted_percent or None,
        "period_start": _time(standing.start_us),
        "renews_at": _time(standing.end_us),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _time(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat()
