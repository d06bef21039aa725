"""`openfm sql`: ask about usage."""

import csv
import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from openfm.cli.access_api import talk
from openfm.cli.client import Client
from openfm.cli.errors import reported
from openfm.cli.output import print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

_PATH = "/api/2.0/openfm/sql"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class SqlOutput(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A SELECT. Tables: see `openfm sql --help` and docs/how-to/usage.md.")],
    output: Annotated[SqlOutput, typer.Option("--output", "-o", help="How rows are written.")] = SqlOutput.TABLE,
    max_rows: Annotated[int, typer.Option(help="At most so many rows.")] = 1_000_000,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Ask about usage in SQL: one's own, or everybody's for admins.

    Tables: system.serving.endpoint_usage, system.serving.endpoint_refusals, system.serving.served_entities,
    system.billing.usage, system.billing.list_prices, openfm.usage_hourly, openfm.usage_daily.
    """
    with reported(as_json=output is SqlOutput.JSON):
        columns, rows = talk(Given(url, token, home), lambda client: _all(client, query, max_rows))
        if output is SqlOutput.JSON:
            print_json(rows)
        elif output is SqlOutput.CSV:
            writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        else:
            print_table(columns, [[_cell(row[name]) for name in columns] for row in rows])


async def _all(client: Client, query: str, max_rows: int) -> tuple[list[str], list[dict[str, Any]]]:
    columns: list[str] = []
    rows: list[dict[str, Any]] = []
    token: str | None = ""
    while token is not None and len(rows) < max_rows:
        page = await client.call("POST", _PATH, {"query": query, "page_token": token})
        columns = [column["name"] for column in page["columns"]]
        rows.extend(page["rows"])
        token = page.get("next_page_token")
    return columns, rows[:max_rows]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
