"""What was used lately, out of the ledger: a restart must not open the windows of limits anew."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, select

from openfm.core.ledger import PastUse
from openfm.core.limits import TICKS
from openfm.core.price import MICRO
from openfm.core.principal import Principal, PrincipalKind
from openfm.core.usage import Demand, TokenCounts
from openfm.store.database import Database
from openfm.store.ledger_tables import ledger

_SLACK_US = 3600 * MICRO
"""From when a request is received to when it is admitted: it may wait for its engine to start."""


def past_use(database: Database, window_s: int, now_us: int) -> Sequence[PastUse]:
    """What may still count in a window of that length, the oldest first. Blocks.

    The rows are added up by ticks of the window, none shorter than a second, so there are few however many rows.
    """
    tick_us = max(1, window_s // TICKS) * MICRO
    since_us = now_us - window_s * MICRO - 2 * tick_us
    columns = ledger.c
    # What is known of a request whose gateway died is when it was last heard of: its limits were taken before that.
    at_us = func.coalesce(columns.admitted_us, columns.finished_us, columns.received_us)
    tick = (at_us // tick_us).label("tick")
    is_settled = columns.admitted_us.is_not(None)
    query = (
        select(
            columns.principal_id,
            func.max(columns.principal_name).label("principal_name"),
            func.max(columns.principal_kind).label("principal_kind"),
            columns.endpoint_id,
            tick,
            func.count().label("requests"),
            _sum(is_settled, columns.generated_prompt).label("prompt"),
            _sum(is_settled, columns.generated_completion).label("completion"),
            _sum(~is_settled, columns.reserved_prompt_tokens).label("reserved_prompt"),
            _sum(~is_settled, columns.reserved_completion_tokens).label("reserved_completion"),
        )
        .where(columns.received_us >= since_us - _SLACK_US, at_us >= since_us)
        .group_by(columns.principal_id, columns.endpoint_id, tick)
        .order_by(tick)
    )
    with database.transaction() as connection:
        rows = connection.execute(query).all()
    return [_use(row, tick_us) for row in rows]


def _sum(which: ColumnElement[bool], column: ColumnElement[int]) -> ColumnElement[int]:
    return func.sum(case((which, column), else_=0))


def _use(row: Row[Any], tick_us: int) -> PastUse:
    return PastUse(
        principal=Principal(row.principal_id, row.principal_name, kind=PrincipalKind(row.principal_kind)),
        endpoint_id=row.endpoint_id,
        until_us=(row.tick + 1) * tick_us,
        requests=row.requests,
        used=TokenCounts(int(row.prompt), int(row.completion)),
        unsettled=Demand(int(row.reserved_prompt), int(row.reserved_completion)),
    )
