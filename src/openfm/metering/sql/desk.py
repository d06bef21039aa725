"""Answers questions about usage: from the archive, and for what is newer from the database."""

import asyncio
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from openfm.batch.asking import Manner, ask_all
from openfm.batch.memory import AnswersInMemory, Models
from openfm.batch.question import Question
from openfm.core.days import Days
from openfm.core.errors import InvalidParameterValue, InvalidRequest, Unavailable
from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlColumn, SqlQuestion
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.payload_tables import PayloadTables
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
from openfm.metering.sql.turns import Turns
from openfm.metering.unit_hours import ends_s, hourly_rows
from openfm.store.database import Database

_MOST_NEW_ROWS = 200_000
_EXPORTED_IN_S = 30.0
_REFUSALS = "endpoint_refusals"
_BILLING = "billing"
"""A question about the hours of model units has this word, for it must name their table. Others need not wait."""
_WEEK_S = 7 * 86_400
_MOST_PASSES = 5
_QUESTIONS_AT_ONCE, _RETRIES = 8, 10

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class SqlDesk:
    """Fulfils `control.sql.ports.Sql`. `visible_endpoints` gives the ids of endpoints that a caller may see.

    What is not in the archive yet is read at once with the rest, `most_new_rows` of it at most. Without `payloads`
    there are no inference tables to ask.
    """

    database: Database
    archive: Archive
    processes: SqlProcesses
    workspace_id: str
    visible_endpoints: Callable[[Principal], frozenset[str]]
    payloads: PayloadTables | None = None
    most_new_rows: int = _MOST_NEW_ROWS
    turns: Turns = field(default_factory=Turns)
    manner: Manner = field(default_factory=lambda: Manner(_QUESTIONS_AT_ONCE, _RETRIES, asyncio.sleep, random.random))

    async def ask(self, question: SqlQuestion, caller: Principal, models: Models | None = None) -> SqlAnswer:
        """See `control.sql.ports.Sql`.

        The question is run with the answers that there are, what it asks besides is asked, and it is run again on the
        same rows until nothing is missing.
        """
        with tempfile.TemporaryDirectory(prefix="openfm-sql-") as name:
            folder, book = Path(name), AnswersInMemory("")
            job: Mapping[str, Any] = {}
            for _ in range(_MOST_PASSES):
                async with self.turns.turn(caller.id):
                    job = job or _asked(question, models) | await _whole(
                        partial(self._loaded, folder, caller, question.text)
                    )
                    outcomes = None if models is None else await _whole(partial(_written, folder, book))
                    found = await self.processes.run({"kind": "answer", **job, "outcomes": outcomes})
                if models is None or "questions" not in found:
                    columns = [SqlColumn(column["name"], column["type"]) for column in found["columns"]]
                    return SqlAnswer(columns, found["rows"], found["has_more"])
                book.add(Question(**one) for one in found["questions"])
                await ask_all(models.server, book, self.manner, lambda: None)
        raise InvalidRequest("The statement asks something new each time it runs. Does it use random() or the time?")

    async def export(self, days: Days, form: str, caller: Principal) -> BinaryIO:
        """See `control.sql.ports.Sql`. Raises `InvalidParameterValue` for another form than csv, parquet."""
        if form not in EXPORT_FORMS:
            raise InvalidParameterValue(f"format must be one of {', '.join(EXPORT_FORMS)}.", param="format")
        with tempfile.TemporaryDirectory(prefix="openfm-export-") as name:
            folder = Path(name)
            written = folder / "usage"
            span = {"first": days.first.isoformat(), "last": days.last.isoformat()}
            async with self.turns.turn(caller.id):
                job = await _whole(partial(self._loaded, folder, caller, "", days))
                await self.processes.run({"kind": "export", "form": form, "to": str(written), **span, **job})
            return written.open("rb")  # it lasts as long as it is open

    def _loaded(self, folder: Path, caller: Principal, text: str, days: Days | None = None) -> dict[str, Any]:
        """What a question in this text is answered from, written into the folder: the part of a job that names it."""
        state = self.archive.state()
        visible = self.visible_endpoints(caller)
        with self.database.transaction() as connection:
            new = closed_rows(connection, state.through, self.most_new_rows + 1)
            entities, prices = entity_rows(connection, caller, visible), price_rows(connection)
            corrections = correction_rows(connection)
            # There may be many of them, and few questions are about them.
            refusals = refusal_rows(connection, self.most_new_rows) if _REFUSALS in text.lower() else ()
        if len(new) > self.most_new_rows:
            raise Unavailable(
                "Usage is being brought into the archive, which takes a while after much of it. Ask again in a minute.",
                retry_after_s=_EXPORTED_IN_S,
            )
        hours = self._unit_hours(caller) if _BILLING in text.lower() else ()
        return {
            "files": self.archive.paths(state, days),
            "rows": write_lines(folder / "rows.jsonl", new),
            "entities": write_lines(folder / "entities.jsonl", entities),
            "prices": write_lines(folder / "prices.jsonl", prices),
            "corrections": write_lines(folder / "corrections.jsonl", corrections),
            "refusals": write_lines(folder / "refusals.jsonl", refusals),
            "unit_hours": write_lines(folder / "unit_hours.jsonl", hours),
            "payloads": self.payloads.written(text, caller, folder) if self.payloads else (),
            "workspace_id": self.workspace_id,
            "principal_id": _only(caller),
        }

    def _unit_hours(self, caller: Principal) -> Iterator[Mapping[str, Any]]:
        """A week at a time: who writes the ledger waits for who reads."""
        with self.database.transaction() as connection:
            ends = ends_s(connection)
        if ends is None:
            return
        first, last = ends
        for start in range(first - 1, last, _WEEK_S):
            with self.database.transaction() as connection:
                rows = hourly_rows(connection, (start, min(start + _WEEK_S, last)), _only(caller))
            yield from rows


def _only(caller: Principal) -> str | None:
    """Whose rows an answer is made of; None for everybody's."""
    return None if caller.is_admin else caller.id


def _asked(question: SqlQuestion, models: Models | None) -> dict[str, Any]:
    """The part of a job that says what is asked."""
    return {
        "text": question.text,
        "max_rows": question.max_rows,
        "offset": question.offset,
        "parameters": [{"name": one.name, "value": one.value, "kind": one.kind} for one in question.parameters],
        "embedding_endpoints": [] if models is None else sorted(models.embedding_endpoints),
    }


def _written(folder: Path, book: AnswersInMemory) -> str:
    path = folder / "outcomes.json"
    path.write_text(json.dumps(book.outcomes), encoding="utf-8")
    return str(path)


async def _whole(work: Callable[[], _Found]) -> _Found:
    """Run it in a thread; one that is cancelled waits for the thread, which nobody can stop."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait({working})
