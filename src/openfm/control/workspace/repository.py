"""SQL of the workspace row."""

from sqlalchemy import Connection, insert, select

from openfm.store.tables import workspace


def find_id(connection: Connection) -> str | None:
    """The workspace's id, if it was made."""
    return connection.execute(select(workspace.c.id)).scalar_one_or_none()


def insert_id(connection: Connection, workspace_id: str, created_timestamp: int) -> None:
    """Make the one row."""
    connection.execute(insert(workspace).values(id=workspace_id, created_timestamp=created_timestamp))
