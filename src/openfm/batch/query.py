"""The caller's query in DuckDB, on the caller's machine, with `ai_query` in it.

A pass runs the query with the answers there are; a question without one is remembered, and its value is NULL. The
query is done when a pass finds every answer. So a question may depend on another's answer, and all of a pass are asked
at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import duckdb

from openfm.batch.answers import Answers
from openfm.batch.function import define
from openfm.batch.question import BatchError, Question

_FORMATS: Mapping[str, str] = MappingProxyType(
    {".parquet": "FORMAT parquet", ".csv": "FORMAT csv, HEADER", ".json": "FORMAT json, ARRAY true"}
    | dict.fromkeys((".jsonl", ".ndjson"), "FORMAT json")
)


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT. Raises `BatchError` if it is none, or if nobody knows how to write such a file."""

    text: str
    output: Path

    def __post_init__(self) -> None:
        if self.output.suffix.lower() not in _FORMATS:
            raise BatchError(f"{self.output} must end in {', '.join(_FORMATS)}: that is how it is written.")
        self._statement()

    def _statement(self) -> str:
        with duckdb.connect() as connection:
            try:
                statements = connection.extract_statements(self.text)
            except duckdb.Error as error:
                raise BatchError(f"The query cannot be read: {_first_line(error)}") from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise BatchError("Give one SELECT with ai_query('endpoint', prompt) in it.")
        return statements[0].query.strip().rstrip(";")

    @property
    def draft(self) -> Path:
        """Where a pass writes."""
        return self.output.with_name(f"{self.output.name}.part")

    def write(self, answers: Answers) -> None:
        """One pass, into `draft`. Blocks. Raises `BatchError`."""
        failed: list[BatchError] = []

        def ask(endpoint: str | None, text: str | None, parameters: str | None, fails: object) -> str | None:
            if endpoint is None or text is None or failed:
                return None  # as any function of NULL
            question = Question(endpoint, text, parameters, may_fail=fails is False)
            try:
                question.options  # noqa: B018  # judged before anything is asked
            except BatchError as error:
                failed.append(error)
                return None
            return answers.answer(question)

        text = self._statement()
        form = _FORMATS[self.output.suffix.lower()]
        with duckdb.connect() as connection:
            define(connection, ask)
            answers.begin()
            try:
                connection.execute(f"COPY (\n{text}\n) TO {_quoted(self.draft)} ({form})")
            except duckdb.Error as error:
                raise BatchError(f"The query failed: {_first_line(error)}") from None
            finally:
                answers.commit()
        if failed:
            raise failed[0]


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
