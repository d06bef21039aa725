"""Hours of model units in the database: only ever added to, each second of a deployment once."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from openfm.core.errors import ApiError
from openfm.core.invoice import LineKey, Used
from openfm.core.price import MICRO
from openfm.core.principal import Principal
from openfm.core.unit_hours import Provisioned, ReadyClock, ReadyInterval, UnitSeconds, unit_cost
from openfm.metering.charges import next_charge
from openfm.metering.price_list import CachedBook
from openfm.metering.sums import key_column
from openfm.store.access_tables import principals
from openfm.store.database import Database
from openfm.store.usage_tables import unit_hours

log = structlog.get_logger(__name__)

_TICK_S = 1.0
_MOST_WAITING = 100_000
# In two parts: a sum of 10^-12 soon has more than 64 bits.
_COSTS = (func.sum(unit_hours.c.cost_pico // MICRO), func.sum(unit_hours.c.cost_pico % MICRO))


class UnitHourWriter:
    """Writes what `ready` says: the entities of provisioned endpoints that are READY, by deployment id."""

    def __init__(self, database: Database, ready: Callable[[], Mapping[str, Provisioned]]) -> None:
        self._database = database
        self._ready = ready
        self._clock = ReadyClock()
        self._book = CachedBook()
        self._waiting: list[ReadyInterval] = []

    async def run(self) -> None:
        """Watch until cancelled, then write what is left. What the database refuses is tried again."""
        try:
            while True:
                await self._tick(self._ready())
                await asyncio.sleep(_TICK_S)
        finally:
            await self._tick({})

    async def _tick(self, ready: Mapping[str, Provisioned]) -> None:
        self._waiting += self._clock.look(ready, time.time(), time.monotonic())
        if not self._waiting:
            return
        try:
            await asyncio.to_thread(self.write, tuple(self._waiting))
            self._waiting.clear()
        except (SQLAlchemyError, ApiError) as error:
            log.warning("unit_hours.writer_waits", reason=str(error), waiting=len(self._waiting))
            del self._waiting[:-_MOST_WAITING]

    def write(self, intervals: Sequence[ReadyInterval]) -> None:
        """Add them; what is written already of a deployment's time is cut off. Blocks."""
        with self._database.transaction() as connection:
            book = self._book.current(connection)
            for one in intervals:
                entity = one.entity
                from_s = max(one.from_s, _written_to(connection, entity.deployment_id))
                if from_s >= one.to_s:
                    continue
                price = book.price(entity.endpoint_name, entity.entity_name, from_s * MICRO)
                connection.execute(
                    insert(unit_hours).values(
                        deployment_id=entity.deployment_id,
                        from_s=from_s,
                        to_s=one.to_s,
                        units=entity.units,
                        throughput=entity.throughput,
                        principal_id=_id_of(connection, entity.creator),
                        principal_name=entity.creator,
                        endpoint_id=entity.endpoint_id,
                        endpoint_name=entity.endpoint_name,
                        entity_name=entity.entity_name,
                        tags=dict(entity.tags),
                        cost_pico=unit_cost(entity.units, from_s, one.to_s, price),
                        currency=price.currency,
                        price_version=price.version,
                        charge_number=next_charge(connection),
                    )
                )


def unit_lines(connection: Connection, span_us: tuple[int, int], caller: Principal) -> Mapping[LineKey, UnitSeconds]:
    """What began in that time, by the invoice's lines: for an admin everybody's, else one's own."""
    names = ("currency", "principal_name", "principal_id", "endpoint_name", "entity_name", "price_version")
    keys = [unit_hours.c[name] for name in names]
    seconds = func.sum(unit_hours.c.units * (unit_hours.c.to_s - unit_hours.c.from_s))
    query = select(*keys, seconds, *_COSTS).where(_began(span_us, caller)).group_by(*keys)
    return {
        LineKey(*key): UnitSeconds(int(total), int(high) * MICRO + int(low))
        for *key, total, high, low in connection.execute(query)
    }


def unit_costs(
    connection: Connection, names: Sequence[str], span_us: tuple[int, int], caller: Principal
) -> Iterator[tuple[tuple[Any, ...], Used]]:
    """What began in that time, by these columns, as `sums.closed` tells what requests cost."""
    keys = [key_column(unit_hours, name) for name in names]
    query = select(*keys, *_COSTS).where(_began(span_us, caller)).group_by(*keys)
    for *key, high, low in connection.execute(query):
        yield tuple(key), Used(0, 0, 0, 0, int(high) * MICRO + int(low))


def _began(span_us: tuple[int, int], caller: Principal) -> ColumnElement[bool]:
    began = and_(unit_hours.c.from_s >= span_us[0] // MICRO, unit_hours.c.from_s < span_us[1] // MICRO)
    return began if caller.is_admin else and_(began, unit_hours.c.principal_id == caller.id)


def _written_to(connection: Connection, deployment_id: str) -> int:
    query = select(func.max(unit_hours.c.to_s)).where(unit_hours.c.deployment_id == deployment_id)
    return connection.execute(query).scalar_one() or 0


def _id_of(connection: Connection, name: str) -> str:
    """Empty for a creator who is gone."""
    query = select(func.min(principals.c.id)).where(principals.c.name == name)
    return connection.execute(query).scalar_one() or ""
