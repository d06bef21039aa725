"""Corrections in the database: only ever added to. See `core.correction`."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select

from openfm.core.correction import CorrectionRequest, MadeCorrection, check_sum
from openfm.core.errors import Conflict, NotFound
from openfm.core.invoice import Month, Used
from openfm.core.ledger import LedgerState
from openfm.core.principal import Principal
from openfm.metering.charges import next_charge
from openfm.metering.sums import key_column
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger, ledger_corrections

_OF_REQUEST = ledger_corrections.c.request_id == ledger.c.request_id
_MOST_SHOWN = 10_000


@dataclass(frozen=True, slots=True)
class CorrectionDesk:
    """Fulfils `control.usage.ports.Corrections`; its calls block. `clock_us` is microseconds since the epoch."""

    database: Database
    clock_us: Callable[[], int]

    def correct(self, request: CorrectionRequest, caller: Principal) -> MadeCorrection:
        """Add a correction. Raises `NotFound`, `Conflict`, `InvalidParameterValue`."""
        with self.database.transaction() as connection:
            row = _closed_row(connection, request.request_id)
            before = _corrected(connection, row.request_id)
            if any((one.cost_pico, one.reason) == (request.amount_pico, request.reason) for one in before):
                raise Conflict(
                    "The same correction of this request was made already. Say another reason to make it once more."
                )
            cost = row.cost_pico + sum(one.cost_pico for one in before)
            amount = -cost if request.amount_pico is None else request.amount_pico
            check_sum(amount, row.cost_pico, cost, row.currency)
            made = MadeCorrection(
                id=uuid.uuid4().hex,
                request_id=row.request_id,
                principal=row.principal_name,
                endpoint=row.endpoint_name,
                currency=row.currency,
                amount_pico=amount,
                cost_pico=cost + amount,
                reason=request.reason,
                created_by=caller.name,
                created_us=self.clock_us(),
            )
            _insert(connection, made, row.price_version)
        return made

    def of_month(self, month: Month, caller: Principal) -> Sequence[MadeCorrection]:
        """Those made in a month, in their order: for an admin everybody's, else those of one's own requests."""
        with self.database.transaction() as connection:
            query = _joined(month.bounds_us, caller).order_by(ledger_corrections.c.created_us, ledger_corrections.c.id)
            rows = connection.execute(query.limit(_MOST_SHOWN)).all()
            costs = _costs(connection, {row.request_id for row in rows})
        return [_made(row, costs[row.request_id]) for row in rows]


def correction_costs(
    connection: Connection, names: Sequence[str], span_us: tuple[int, int], caller: Principal
) -> Iterator[tuple[tuple[Any, ...], Used]]:
    """What was made in that time, by these columns of the requests' rows, as `sums.closed` tells what requests cost."""
    keys = [key_column(ledger_corrections if name == "currency" else ledger, name) for name in names]
    cost = ledger_corrections.c.cost_pico
    query = (
        select(*keys, cost).select_from(ledger_corrections).join(ledger, _OF_REQUEST).where(_made_in(span_us, caller))
    )
    for *key, pico in connection.execute(query):
        yield tuple(key), Used(0, 0, 0, 0, int(pico))


def _closed_row(connection: Connection, request_id: str) -> Row[Any]:
    columns = ("request_id", "state", "principal_name", "endpoint_name", "currency", "cost_pico", "price_version")
    query = select(*(ledger.c[name] for name in columns)).where(ledger.c.request_id == request_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"The ledger has no row of a request '{request_id}'. It is the x-request-id of the answer; rows that "
            "retention has summed up cannot be corrected.",
            param="request_id",
        )
    if row.state == LedgerState.RESERVED:
        raise Conflict("The request is not closed yet, so it has no cost. Try again when it is.")
    return row


def _corrected(connection: Connection, request_id: str) -> Sequence[Any]:
    query = select(ledger_corrections.c.cost_pico, ledger_corrections.c.reason)
    return connection.execute(query.where(ledger_corrections.c.request_id == request_id)).all()


def _insert(connection: Connection, made: MadeCorrection, price_version: int) -> None:
    connection.execute(
        insert(ledger_corrections).values(
            id=made.id,
            request_id=made.request_id,
            cost_pico=made.amount_pico,
            currency=made.currency,
            price_version=price_version,
            reason=made.reason,
            created_by=made.created_by,
            created_us=made.created_us,
            charge_number=next_charge(connection),
        )
    )


def _made_in(span_us: tuple[int, int], caller: Principal) -> ColumnElement[bool]:
    created = ledger_corrections.c.created_us
    made = and_(created >= span_us[0], created < span_us[1])
    return made if caller.is_admin else and_(made, ledger.c.principal_id == caller.id)


def _joined(span_us: tuple[int, int], caller: Principal) -> Any:
    columns = select(ledger_corrections, ledger.c.principal_name, ledger.c.endpoint_name)
    return columns.join(ledger, _OF_REQUEST).where(_made_in(span_us, caller))


def _costs(connection: Connection, request_ids: set[str]) -> dict[str, int]:
    """What the requests cost with all corrections of them."""
    found: dict[str, int] = {}
    for request_id in request_ids:
        cost = select(ledger.c.cost_pico).where(ledger.c.request_id == request_id)
        more = sum(one.cost_pico for one in _corrected(connection, request_id))
        found[request_id] = connection.execute(cost).scalar_one() + more
    return found


def _made(row: Row[Any], cost_pico: int) -> MadeCorrection:
    return MadeCorrection(
        id=row.id,
        request_id=row.request_id,
        principal=row.principal_name,
        endpoint=row.endpoint_name,
        currency=row.currency,
        amount_pico=row.cost_pico,
        cost_pico=cost_pico,
        reason=row.reason,
        created_by=row.created_by,
        created_us=row.created_us,
    )
