"""Answers questions about usage: from the archive, and for what is newer from the database."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlColumn, SqlQuestion
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.processes import SqlProcesses
from openfm.metering.sql.rows import closed_rows, entity_rows, price_rows, write_lines
from openfm.store.database import Database

_MOST_NEW_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class SqlDesk:
    """Fulfils `control.sql.ports.Sql`. `visible_endpoints` gives the ids of endpoints that a caller may see."""

    database: Database
    archive: Archive
    processes: SqlProcesses
    workspace_id: str
    visible_endpoints: Callable[[Principal], frozenset[str]]

    def ask(self, question: SqlQuestion, caller: Principal) -> SqlAnswer:
        """The answer, from the caller's own requests; an admin's from everybody's. Blocks.

        Raises `InvalidRequest`, `Unavailable`.
        """
        state = self.archive.state()
        visible = None if caller.is_admin else self.visible_endpoints(caller)
        with self.database.transaction() as connection:
            new = closed_rows(connection, state.through, _MOST_NEW_ROWS)
            entities, prices = entity_rows(connection, visible), price_rows(connection)
        with tempfile.TemporaryDirectory(prefix="openfm-sql-") as name:
            folder = Path(name)
            answer = self.processes.run(
                {
                    "kind": "answer",
                    "files": self.archive.paths(state),
                    "rows": write_lines(folder / "rows.jsonl", new),
                    "entities": write_lines(folder / "entities.jsonl", entities),
                    "prices": write_lines(folder / "prices.jsonl", prices),
                    "workspace_id": self.workspace_id,
                    "principal_id": None if caller.is_admin else caller.id,
                    "text": question.text,
                    "max_rows": question.max_rows,
                    "offset": question.offset,
                }
            )
        columns = [SqlColumn(column["name"], column["type"]) for column in answer["columns"]]
        return SqlAnswer(columns, answer["rows"], answer["has_more"])
