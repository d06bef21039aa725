"""The caller's query in DuckDB, on the caller's machine, with `ai_query` in it.

A pass runs the query with the answers there are; a question without one is remembered, and its value is NULL. The
query is done when a pass finds every answer. So a question may depend on another's answer, and all of a pass are asked
at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import duckdb
from duckdb.func import FunctionNullHandling

from openfm.batch.answers import Answers
from openfm.batch.question import BatchError, Question

_FORMATS: Mapping[str, str] = MappingProxyType(
    {".parquet": "FORMAT parquet", ".csv": "FORMAT csv, HEADER", ".json": "FORMAT json, ARRAY true"}
    | dict.fromkeys((".jsonl", ".ndjson"), "FORMAT json")
)
_PARAMETERS = "modelParameters := NULL, responseFormat := NULL, failOnError := true"
_OPTIONS = """
CASE WHEN responseFormat IS NULL THEN to_json(modelParameters)
ELSE json_merge_patch(
    coalesce(to_json(modelParameters), '{}'::JSON), json_object('response_format', responseFormat::JSON)
) END"""
_MOST_PAIRS = 9


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
            _define(connection, ask)
            answers.begin()
            try:
                connection.execute(f"COPY (\n{text}\n) TO {_quoted(self.draft)} ({form})")
            except duckdb.Error as error:
                raise BatchError(f"The query failed: {_first_line(error)}") from None
            finally:
                answers.commit()
        if failed:
            raise failed[0]


def _define(connection: duckdb.DuckDBPyConnection, ask: Callable[..., str | None]) -> None:
    connection.execute("SET autoinstall_known_extensions = false")
    types = ["varchar", "varchar", "varchar", "boolean"]
    special = FunctionNullHandling.SPECIAL
    connection.create_function("ai_query__", ask, types, "varchar", null_handling=special, side_effects=True)  # type: ignore[arg-type]
    call = f"ai_query__(endpoint, request, CAST({_OPTIONS} AS VARCHAR), failOnError)"
    connection.execute(f"CREATE MACRO ai_query(endpoint, request, {_PARAMETERS}) AS {call}")
    connection.execute(
        f"CREATE MACRO named_struct {', '.join(_named_struct(count) for count in range(1, _MOST_PAIRS))}"
    )


def _named_struct(count: int) -> str:
    """Spark's way to write a struct of so many fields."""
    given = ", ".join(f"k{number}, v{number}" for number in range(count))
    pairs = ", ".join(f"CAST(k{number} AS VARCHAR), v{number}" for number in range(count))
    return f"({given}) AS json_object({pairs})"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
