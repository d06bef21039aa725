"""`ai_query` and what goes with it, as functions of a DuckDB connection."""

from collections.abc import Callable

import duckdb
from duckdb.func import FunctionNullHandling

PARAMETERS = "modelParameters := NULL, responseFormat := NULL, failOnError := true"
_OPTIONS = """
CASE WHEN responseFormat IS NULL THEN to_json(modelParameters)
ELSE json_merge_patch(
    coalesce(to_json(modelParameters), '{}'::JSON), json_object('response_format', responseFormat::JSON)
) END"""
OPTIONS = f"CAST({_OPTIONS} AS VARCHAR)"
"""The parameters of a question, of a macro's `modelParameters` and `responseFormat`."""
_MOST_PAIRS = 9

Ask = Callable[[str | None, str | None, str | None, object], str | None]
"""Endpoint, text, parameters as JSON, `failOnError`: the answer, NULL where there is none yet."""


def define(connection: duckdb.DuckDBPyConnection, ask: Ask) -> None:
    """`ai_query`, which looks answers up, and `named_struct`."""
    define_lookup(connection, "ai_query__", ask)
    call = f"ai_query__(endpoint, request, {OPTIONS}, failOnError)"
    connection.execute(f"CREATE MACRO ai_query(endpoint, request, {PARAMETERS}) AS {call}")
    connection.execute(
        f"CREATE MACRO named_struct {', '.join(_named_struct(count) for count in range(1, _MOST_PAIRS))}"
    )


def define_lookup(connection: duckdb.DuckDBPyConnection, name: str, ask: Ask) -> None:
    """A function that is called for each row, NULLs too."""
    types = ["varchar", "varchar", "varchar", "boolean"]
    special = FunctionNullHandling.SPECIAL
    connection.create_function(name, ask, types, "varchar", null_handling=special, side_effects=True)  # type: ignore[arg-type]


def _named_struct(count: int) -> str:
    """Spark's way to write a struct of so many fields."""
    given = ", ".join(f"k{number}, v{number}" for number in range(count))
    pairs = ", ".join(f"CAST(k{number} AS VARCHAR), v{number}" for number in range(count))
    return f"({given}) AS json_object({pairs})"
