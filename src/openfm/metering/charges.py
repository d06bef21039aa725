"""What costs money beside requests, in one order: corrections, and hours of model units."""

from sqlalchemy import Connection, func, select

from openfm.store.ledger_tables import ledger_corrections
from openfm.store.usage_tables import unit_hours


def next_charge(connection: Connection) -> int:
    """The number of the next one; who takes it adds the row in the same transaction."""
    columns = (ledger_corrections.c.charge_number, unit_hours.c.charge_number)
    return max(connection.execute(select(func.max(column))).scalar_one() or 0 for column in columns) + 1
