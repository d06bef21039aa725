"""The workspace: one a database, with a number that clients send back in `X-Databricks-Workspace-Id`."""

import secrets

from openfm.control.workspace import repository
from openfm.store.database import Database


def ensure_workspace(database: Database, now_ms: int) -> str:
    """The workspace's id, made at first start."""
    with database.transaction() as connection:
        found = repository.find_id(connection)
        if found is not None:
            return found
        made = str(10**15 + secrets.randbelow(9 * 10**15))
        repository.insert_id(connection, made, now_ms)
        return made
