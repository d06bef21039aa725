"""Questions about usage in SQL, and their answers."""

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float | bool | None | Sequence["Cell"] | dict[str, "Cell"]
"""A value as JSON has it; decimals and times are text, so that nothing is lost."""


@dataclass(frozen=True, slots=True)
class SqlParameter:
    """What `:name` stands for: a value of Databricks' type `kind`, as text; None is NULL."""

    name: str
    value: str | None
    kind: str = "STRING"


@dataclass(frozen=True, slots=True)
class SqlQuestion:
    """A SELECT. Of its rows `max_rows` are given from `offset` on."""

    text: str
    max_rows: int
    offset: int = 0
    parameters: Sequence[SqlParameter] = ()


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column's name and its type as DuckDB writes it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """Rows in the order of the columns. `has_more`: there are others after them."""

    columns: Sequence[SqlColumn]
    rows: Sequence[Sequence[Cell]]
    has_more: bool
