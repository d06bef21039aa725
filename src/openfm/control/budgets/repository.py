"""SQL of budgets, and of what is spent of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    union_all,
    update,
)

from openfm.core.budget import Budget, BudgetAction, BudgetPeriod, BudgetScope
from openfm.core.ledger import LedgerState
from openfm.core.price import MICRO
from openfm.store.access_tables import principals
from openfm.store.budget_tables import budget_spent, budgets, ledger_readers
from openfm.store.ledger_tables import ledger, ledger_corrections
from openfm.store.tables import serving_endpoints
from openfm.store.usage_tables import unit_hours

_READER = "budgets"


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of the last row of the ledger, and of the last correction or hour, that are counted."""

    rows: int = 0
    charges: int = 0

    @property
    def number(self) -> int:
        """Grows with each step: of two states that with the higher number is the later one."""
        return self.rows + self.charges


def all_budgets(connection: Connection) -> tuple[Budget, ...]:
    """All budgets, by name."""
    query = (
        select(budgets, principals.c.name.label("principal"), serving_endpoints.c.name.label("endpoint"))
        .outerjoin(principals, principals.c.id == budgets.c.principal_id)
        .outerjoin(serving_endpoints, serving_endpoints.c.id == budgets.c.endpoint_id)
        .order_by(budgets.c.name)
    )
    return tuple(_budget(row) for row in connection.execute(query))


def insert_budget(connection: Connection, budget: Budget) -> None:
    """Add one."""
    is_endpoint, is_tag = budget.scope is BudgetScope.ENDPOINT, budget.scope is BudgetScope.TAG
    connection.execute(
        insert(budgets).values(
            id=budget.id,
            name=budget.name,
            scope=budget.scope.value,
            principal_id=None if is_endpoint else budget.target_id or None,
            endpoint_id=budget.target_id if is_endpoint else None,
            tag=budget.target if is_tag else None,
            currency=budget.currency,
            period=budget.period.value,
            **_changeable(budget),
        )
    )


def change_budget(connection: Connection, budget: Budget) -> None:
    """Set what may change of one: its amount, its action, its alerts."""
    connection.execute(update(budgets).where(budgets.c.id == budget.id).values(**_changeable(budget)))


def delete_budget(connection: Connection, name: str) -> bool:
    """Remove one; whether there was one."""
    return connection.execute(delete(budgets).where(budgets.c.name == name)).rowcount > 0


def spent_since(connection: Connection, start_us: int) -> Mapping[tuple[str, int], tuple[int, int]]:
    """What is spent and the highest percentage told, by budget and beginning of the period, of periods since then."""
    rows = connection.execute(select(budget_spent).where(budget_spent.c.start_us >= start_us))
    return {(row.budget_id, row.start_us): (int(row.pico), row.alerted_percent) for row in rows}


def periods_of(connection: Connection, budget_id: str) -> Sequence[tuple[int, int]]:
    """When each of its periods began and what was spent in it, the latest first."""
    query = select(budget_spent).where(budget_spent.c.budget_id == budget_id)
    rows = connection.execute(query.order_by(budget_spent.c.start_us.desc()))
    return [(row.start_us, int(row.pico)) for row in rows]


def put_spent(connection: Connection, key: tuple[str, int], pico: int, alerted_percent: int) -> None:
    """Set what is spent in a period."""
    is_it = and_(budget_spent.c.budget_id == key[0], budget_spent.c.start_us == key[1])
    values = {"pico": str(pico), "alerted_percent": alerted_percent}
    if not connection.execute(update(budget_spent).where(is_it).values(**values)).rowcount:
        connection.execute(insert(budget_spent).values(budget_id=key[0], start_us=key[1], **values))


def counted_to(connection: Connection) -> Counted:
    """How far rows and charges are counted."""
    query = select(ledger_readers.c.closing_number, ledger_readers.c.charge_number)
    row = connection.execute(query.where(ledger_readers.c.name == _READER)).one_or_none()
    return Counted() if row is None else Counted(row.closing_number, row.charge_number)


def count_to(connection: Connection, counted: Counted) -> None:
    """Set it."""
    is_it, values = ledger_readers.c.name == _READER, {"closing_number": counted.rows, "charge_number": counted.charges}
    if not connection.execute(update(ledger_readers).where(is_it).values(**values)).rowcount:
        connection.execute(insert(ledger_readers).values(name=_READER, **values))


def last_numbers(connection: Connection) -> Counted:
    """Of the row that was closed last, and of the last charge."""
    rows, corrections, hours = (
        connection.execute(select(func.max(column))).scalar_one() or 0
        for column in (ledger.c.closing_number, ledger_corrections.c.charge_number, unit_hours.c.charge_number)
    )
    return Counted(rows, max(corrections, hours))


def closed_after(connection: Connection, number: int, most: int) -> Sequence[Any]:
    """The next closed rows, in the order of their numbers."""
    columns = (
        ledger.c.request_id,
        ledger.c.closing_number,
        ledger.c.principal_id,
        ledger.c.endpoint_id,
        ledger.c.tags,
        ledger.c.received_us,
        ledger.c.cost_pico,
        ledger.c.currency,
    )
    query = select(*columns).where(ledger.c.closing_number > number).order_by(ledger.c.closing_number).limit(most)
    return connection.execute(query).all()


def charges_after(connection: Connection, number: int, most: int) -> Sequence[Any]:
    """The next corrections and hours of model units, as if they were rows, in the order of their numbers."""
    either = union_all(*(query.where(column > number) for query, column in _charges())).subquery()
    return connection.execute(select(either).order_by(either.c.charge_number).limit(most)).all()


def charged(connection: Connection, span_us: tuple[int, int], number: int) -> Sequence[Any]:
    """Those up to a number that are of that time."""
    either = union_all(
        *(query.where(or_(column <= number, column.is_(None))) for query, column in _charges())
    ).subquery()
    is_then = and_(either.c.received_us >= span_us[0], either.c.received_us < span_us[1])
    return connection.execute(select(either).where(is_then)).all()


def _charges() -> Sequence[tuple[Select[Any], Column[Any]]]:
    """A correction counts when it is made, on the tags of its request; an interval when it begins, on its creator."""
    made, hour = ledger_corrections.c, unit_hours.c
    corrections = select(
        made.charge_number,
        ledger.c.principal_id,
        ledger.c.endpoint_id,
        ledger.c.tags,
        made.created_us.label("received_us"),
        made.cost_pico,
        made.currency,
    ).join(ledger, ledger.c.request_id == made.request_id)
    hours = select(
        hour.charge_number,
        hour.principal_id,
        hour.endpoint_id,
        hour.tags,
        (hour.from_s * MICRO).label("received_us"),
        hour.cost_pico,
        hour.currency,
    )
    return (corrections, made.charge_number), (hours, hour.charge_number)


def states_of(connection: Connection, request_ids: Sequence[str]) -> Mapping[str, int | None]:
    """The closing numbers of requests that have a row; None of an open one."""
    query = select(ledger.c.request_id, ledger.c.closing_number).where(ledger.c.request_id.in_(request_ids))
    return {row.request_id: row.closing_number for row in connection.execute(query)}


def received_in(span_us: tuple[int, int], number: int) -> ColumnElement[bool]:
    """Rows up to a closing number that were received then."""
    received_us = ledger.c.received_us
    return and_(received_us >= span_us[0], received_us < span_us[1], ledger.c.closing_number <= number)


def closed_since(span_us: tuple[int, int], after: int, number: int) -> ColumnElement[bool]:
    """Those of them after another number; an expression keeps the database from reading all of that time."""
    received_us = ledger.c.received_us + 0
    return and_(received_us >= span_us[0], received_us < span_us[1], ledger.c.closing_number.between(after + 1, number))


def spent_by_principal(connection: Connection, budget: Budget, rows: ColumnElement[bool]) -> Mapping[str, int]:
    """What these closed rows cost a budget's target, by principal; of a group's, everybody's."""
    # In two parts: a sum of 10^-12 soon has more than 64 bits.
    parts = (func.sum(ledger.c.cost_pico // MICRO), func.sum(ledger.c.cost_pico % MICRO))
    query = select(ledger.c.principal_id, *parts).where(
        rows,
        ledger.c.state != LedgerState.RESERVED,
        ledger.c.currency == budget.currency,
        _covered(budget),
    )
    sums = connection.execute(query.group_by(ledger.c.principal_id))
    return {principal: int(high) * MICRO + int(low) for principal, high, low in sums}


def endpoint_id(connection: Connection, name: str) -> str | None:
    """The id of the endpoint of that name."""
    query = select(serving_endpoints.c.id).where(serving_endpoints.c.name == name)
    return connection.execute(query).scalar_one_or_none()


def _covered(budget: Budget) -> ColumnElement[bool]:
    match budget.scope:
        case BudgetScope.ALL | BudgetScope.GROUP:
            return true()
        case BudgetScope.USER | BudgetScope.SERVICE_PRINCIPAL:
            return ledger.c.principal_id == budget.target_id
        case BudgetScope.ENDPOINT:
            return ledger.c.endpoint_id == budget.target_id
        case BudgetScope.TAG:
            key, _, value = budget.target.partition("=")
            is_tagged: ColumnElement[bool] = ledger.c.tags[key].as_string() == value
            return is_tagged


def _changeable(budget: Budget) -> dict[str, object]:
    return {
        "amount_micro": budget.amount_pico // MICRO,
        "action": budget.action.value,
        "alerts": list(budget.alerts),
    }


def _budget(row: Row[Any]) -> Budget:
    return Budget(
        id=row.id,
        name=row.name,
        scope=BudgetScope(row.scope),
        amount_pico=row.amount_micro * MICRO,
        currency=row.currency,
        period=BudgetPeriod(row.period),
        action=BudgetAction(row.action),
        alerts=tuple(row.alerts),
        target=row.tag or row.principal or row.endpoint or "",
        target_id=row.principal_id or row.endpoint_id or "",
    )
