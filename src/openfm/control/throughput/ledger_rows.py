"""SQL of what requests there were: shapes to plan by, times to report, and what was promised for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import BigInteger, Connection, func, literal_column, select

from openfm.core.errors import NoReplicaReady, Overloaded, ProvisionUsedUp
from openfm.core.ledger import LedgerState
from openfm.scheduling.delivery import REFUSED, Refusals, Served
from openfm.scheduling.promised_time import Spell
from openfm.scheduling.sizing import Load, Shape
from openfm.store.ledger_tables import ledger
from openfm.store.usage_tables import refusals, unit_hours

_MOST_ROWS = 500_000
_US_PER_MINUTE = 60_000_000
_US_PER_MINUTE_IN_SQL = literal_column(str(_US_PER_MINUTE), BigInteger)  # as a parameter it is another one to GROUP BY
_FOR_WANT = frozenset({ProvisionUsedUp.openai_code, Overloaded.openai_code, NoReplicaReady.openai_code})
"""Codes of refusals that more throughput would have spared; others are by limits and budgets that somebody set."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose requests for which model, since when (us since the epoch). No principal means everybody's."""

    entity_name: str
    since_us: int
    principal_id: str | None = None


def loads(connection: Connection, asked: Asked) -> Sequence[Load]:
    """What was asked in each minute, in order: answered requests, and those refused for want of throughput."""
    answered = _answered(connection, asked)
    refused = _refused(connection, asked)
    nothing = Load(0, 0, Shape(0, 0))
    return [
        replace(answered.get(minute, nothing), minute=minute, refused=refused.get(minute, 0))
        for minute in sorted(answered.keys() | refused.keys())
    ]


def _answered(connection: Connection, asked: Asked) -> dict[int, Load]:
    columns = ledger.c
    minute = (columns.received_us // _US_PER_MINUTE_IN_SQL).label("minute")
    tokens = (columns.generated_prompt, columns.generated_completion, columns.generated_cached)
    query = (
        select(minute, func.count(), *(func.sum(one) for one in tokens))
        .where(
            columns.entity_name == asked.entity_name,
            columns.received_us >= asked.since_us,
            columns.state != LedgerState.RESERVED.value,
            columns.status < 400,
        )
        .group_by(minute)
    )
    if asked.principal_id is not None:
        query = query.where(columns.principal_id == asked.principal_id)
    return {
        number: Load(number, count, Shape(int(prompt), int(completion), int(cached)))
        for number, count, prompt, completion, cached in connection.execute(query)
    }


def _refused(connection: Connection, asked: Asked) -> dict[int, int]:
    query = (
        select(refusals.c.minute, func.sum(refusals.c.requests))
        .where(
            refusals.c.entity_name == asked.entity_name,
            refusals.c.minute >= asked.since_us // _US_PER_MINUTE,
            refusals.c.code.in_(_FOR_WANT),
        )
        .group_by(refusals.c.minute)
    )
    if asked.principal_id is not None:
        query = query.where(refusals.c.principal_id == asked.principal_id)
    return {minute: int(requests) for minute, requests in connection.execute(query)}


def served(connection: Connection, endpoint_id: str, since_us: int) -> Sequence[Served]:
    """The endpoint's closed requests, some hundred thousand at most."""
    columns = ledger.c
    query = (
        select(
            columns.received_us,
            columns.first_token_us,
            columns.finished_us,
            columns.status,
            columns.generated_prompt,
            columns.generated_cached,
            columns.generated_completion,
        )
        .where(
            columns.endpoint_id == endpoint_id,
            columns.received_us >= since_us,
            columns.finished_us.is_not(None),
            columns.status.is_not(None),
            columns.state != LedgerState.RESERVED.value,
        )
        .order_by(columns.received_us.desc())
        .limit(_MOST_ROWS)
    )
    return [Served(*row) for row in connection.execute(query)]


def refused(connection: Connection, endpoint_id: str, since_minute: int) -> Sequence[Refusals]:
    """The endpoint's requests that were told "not now" before they were dispatched, by minute and reason."""
    keys = (refusals.c.minute, refusals.c.code)
    query = (
        select(*keys, func.sum(refusals.c.requests))
        .where(
            refusals.c.endpoint_id == endpoint_id,
            refusals.c.minute >= since_minute,
            refusals.c.status.in_(REFUSED),
        )
        .group_by(*keys)
    )
    return [
        Refusals(minute, code, int(requests), is_for_want=code in _FOR_WANT)
        for minute, code, requests in connection.execute(query)
    ]


def spells(connection: Connection, endpoint_id: str, since_s: int) -> Sequence[tuple[Spell, int]]:
    """When the endpoint's deployments were READY, of those that ended after that, and with how many model units.

    The throughput is 0 where it was not noted.
    """
    columns = unit_hours.c
    query = select(columns.deployment_id, columns.from_s, columns.to_s, columns.throughput, columns.units).where(
        columns.to_s > since_s, columns.endpoint_id == endpoint_id
    )
    return [
        (Spell(key, from_s, to_s, noted or 0), units) for key, from_s, to_s, noted, units in connection.execute(query)
    ]
