"""Prices in the database: only ever added to."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, Row, and_, func, insert, select

from openfm.core.errors import InvalidParameterValue
from openfm.core.ledger import LedgerState
from openfm.core.price import MICRO, Price, PriceRequest, PriceUnit, Target, TargetKind
from openfm.core.price_book import PriceBook
from openfm.core.principal import Principal
from openfm.core.report import DAY_US
from openfm.store.database import Database, TakeOver
from openfm.store.ledger_tables import ledger, prices
from openfm.store.usage_tables import ledger_days, unit_hours

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PriceList:
    """Lists and sets prices. Its calls block.

    `clock_us` is microseconds since the epoch; `take_over` lets others know what is committed.
    """

    database: Database
    clock_us: Callable[[], int]
    take_over: TakeOver

    def all(self) -> Sequence[Price]:
        """Every price ever set, by version."""
        with self.database.transaction() as connection:
            return load_prices(connection)

    def set(self, request: PriceRequest, caller: Principal) -> Price:
        """Add a price, under a new version.

        Raises `InvalidParameterValue` for one that should have held for requests which were priced already, and for a
        second one of the same target and time.
        """
        now = self.clock_us()
        with self.database.transaction(self.take_over) as connection:
            effective_us = now if request.effective_from_us is None else request.effective_from_us
            last_us = _last_priced(connection, request.target, effective_us)
            starts = {one.effective_from_us for one in load_prices(connection) if one.target.is_same(request.target)}
            if request.effective_from_us is None:
                effective_us = max(effective_us, last_us + 1)
                while effective_us in starts:
                    effective_us += 1
            else:
                _check_start(effective_us, last_us, starts)
            price = Price(
                version=last_version(connection) + 1,
                target=request.target,
                currency=request.currency,
                amounts=request.amounts,
                effective_from_us=effective_us,
                created_us=now,
                created_by=caller.name,
            )
            connection.execute(insert(prices), [_row(price, unit, micro) for unit, micro in price.amounts.items()])
        return price


class KnownPrices:
    """The price book in memory. Reading never waits; `on_change` is called whenever it was taken over."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._book = PriceBook(())

    def price(self, endpoint_name: str, entity_name: str, at_us: int) -> Price:
        """The price of a request that was received then; one of 0 where none holds."""
        return self._book.price(endpoint_name, entity_name, at_us)

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`."""
        return partial(self._put, PriceBook(load_prices(connection)))

    def _put(self, book: PriceBook) -> None:
        self._book = book
        self._on_change()


def load_prices(connection: Connection) -> list[Price]:
    """Every price ever set, by version."""
    rows = connection.execute(select(prices).order_by(prices.c.version, prices.c.unit))
    return [_price(list(group)) for _, group in groupby(rows, key=lambda row: row.version)]


def last_version(connection: Connection) -> int:
    """The newest price's version, 0 without any."""
    return connection.execute(select(func.max(prices.c.version))).scalar_one() or 0


class CachedBook:
    """The price book, read again when a price was added."""

    def __init__(self) -> None:
        self._book = PriceBook(())
        self._version = 0

    def current(self, connection: Connection) -> PriceBook:
        """The book as this transaction sees it."""
        newest = last_version(connection)
        if newest != self._version:
            self._book, self._version = PriceBook(load_prices(connection)), newest
        return self._book


def _check_start(effective_us: int, last_us: int, starts: Container[int]) -> None:
    if effective_us <= last_us:
        raise InvalidParameterValue(
            f"A request of {_shown(last_us)} was priced already, and rows of the ledger are never changed. "
            "Let the price take effect after that; what was charged wrongly is reversed by a correction.",
            param="effective_from",
        )
    if effective_us in starts:
        raise InvalidParameterValue(
            f"Another price of the same target takes effect at {_shown(effective_us)} already, and prices are never "
            "changed. Choose a later time: from then on the new one holds.",
            param="effective_from",
        )


def _last_priced(connection: Connection, target: Target, since_us: int) -> int:
    """When the last request since then was received that was priced and that the target covers; 0 for none."""
    was_priced = and_(ledger.c.state != LedgerState.RESERVED, ledger.c.received_us >= since_us)
    query = select(ledger.c.endpoint_name, ledger.c.entity_name, func.max(ledger.c.received_us)).where(was_priced)
    rows = [*connection.execute(query.group_by(ledger.c.endpoint_name, ledger.c.entity_name))]
    ends = select(ledger_days.c.endpoint_name, ledger_days.c.entity_name, func.max(ledger_days.c.day_us) + DAY_US - 1)
    ends = ends.where(ledger_days.c.day_us > since_us - DAY_US)
    rows += connection.execute(ends.group_by(ledger_days.c.endpoint_name, ledger_days.c.entity_name))
    hours = select(unit_hours.c.endpoint_name, unit_hours.c.entity_name, func.max(unit_hours.c.from_s) * MICRO)
    hours = hours.where(unit_hours.c.from_s * MICRO >= since_us)
    rows += connection.execute(hours.group_by(unit_hours.c.endpoint_name, unit_hours.c.entity_name))
    return max((last_us for endpoint, entity, last_us in rows if target.covers(endpoint, entity)), default=0)


def _row(price: Price, unit: PriceUnit, micro: int) -> dict[str, object]:
    return {
        "version": price.version,
        "unit": unit,
        "target_kind": price.target.kind,
        "target": price.target.name,
        "amount_micro": micro,
        "currency": price.currency,
        "effective_from_us": price.effective_from_us,
        "created_us": price.created_us,
        "created_by": price.created_by,
    }


def _price(rows: Sequence[Row[tuple[object, ...]]]) -> Price:
    first = rows[0]
    return Price(
        version=first.version,
        target=Target(TargetKind(first.target_kind), first.target),
        currency=first.currency,
        amounts={PriceUnit(row.unit): row.amount_micro for row in rows},
        effective_from_us=first.effective_from_us,
        created_us=first.created_us,
        created_by=first.created_by,
    )


def _shown(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat()
