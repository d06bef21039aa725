"""Answers questions about usage: from the archive, and for what is newer from the database."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from openfm.core.days import Days
from openfm.core.errors import InvalidParameterValue, Unavailable
from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlColumn, SqlQuestion
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.processes import SqlProcesses
from openfm.metering.sql.rows import (
    closed_rows,
    correction_rows,
    entity_rows,
    price_rows,
    refusal_rows,
    write_lines,
)
from openfm.metering.sql.tables import EXPORT_FORMS
from openfm.store.database import Database

_MOST_NEW_ROWS = 200_000
_EXPORTED_IN_S = 30.0
_REFUSALS = "endpoint_refusals"


@dataclass(frozen=True, slots=True)
class SqlDesk:
    """Fulfils `control.sql.ports.Sql`. `visible_endpoints` gives the ids of endpoints that a caller may see.

    What is not in the archive yet is read at once with the rest, `most_new_rows` of it at most.
    """

    database: Database
    archive: Archive
    processes: SqlProcesses
    workspace_id: str
    visible_endpoints: Callable[[Principal], frozenset[str]]
    most_new_rows: int = _MOST_NEW_ROWS

    def ask(self, question: SqlQuestion, caller: Principal) -> SqlAnswer:
        """The answer, from the caller's own requests; an admin's from everybody's. Blocks.

        Raises `InvalidRequest`, `Unavailable`.
        """
        asked = {"text": question.text, "max_rows": question.max_rows, "offset": question.offset}
        answer = self._run({"kind": "answer", **asked}, caller)
        columns = [SqlColumn(column["name"], column["type"]) for column in answer["columns"]]
        return SqlAnswer(columns, answer["rows"], answer["has_more"])

    def export(self, days: Days, form: str, caller: Principal) -> BinaryIO:
        """See `control.sql.ports.Sql`. Raises `InvalidParameterValue` for another form than csv, parquet."""
        if form not in EXPORT_FORMS:
            raise InvalidParameterValue(f"format must be one of {', '.join(EXPORT_FORMS)}.", param="format")
        with tempfile.TemporaryDirectory(prefix="openfm-export-") as folder:
            written = Path(folder) / "rows"
            span = {"first": days.first.isoformat(), "last": days.last.isoformat()}
            self._run({"kind": "export", "form": form, "to": str(written), **span}, caller, days)
            return written.open("rb")  # it lasts as long as it is open

    def _run(self, job: Mapping[str, Any], caller: Principal, days: Days | None = None) -> Mapping[str, Any]:
        state = self.archive.state()
        visible = None if caller.is_admin else self.visible_endpoints(caller)
        with self.database.transaction() as connection:
            new = closed_rows(connection, state.through, self.most_new_rows + 1)
            entities, prices = entity_rows(connection, visible), price_rows(connection)
            corrections = correction_rows(connection)
            # There may be many of them, and few questions are about them.
            is_about_refusals = _REFUSALS in str(job.get("text", "")).lower()
            refusals = refusal_rows(connection, self.most_new_rows) if is_about_refusals else ()
        if len(new) > self.most_new_rows:
            raise Unavailable(
                "Usage is being brought into the archive, which takes a while after much of it. Ask again in a minute.",
                retry_after_s=_EXPORTED_IN_S,
            )
        with tempfile.TemporaryDirectory(prefix="openfm-sql-") as name:
            folder = Path(name)
            return self.processes.run(
                {
                    **job,
                    "files": self.archive.paths(state, days),
                    "rows": write_lines(folder / "rows.jsonl", new),
                    "entities": write_lines(folder / "entities.jsonl", entities),
                    "prices": write_lines(folder / "prices.jsonl", prices),
                    "corrections": write_lines(folder / "corrections.jsonl", corrections),
                    "refusals": write_lines(folder / "refusals.jsonl", refusals),
                    "workspace_id": self.workspace_id,
                    "principal_id": None if caller.is_admin else caller.id,
                }
            )
