"""A million rows of the ledger: how long questions about them take, and how much disk they need.

The ledger is drawn with a seed and written as the server writes it; questions go the whole way, through the process
that answers each of them, one after the other.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gateway_overhead import ROOT, machine, percentile
from openfm.core.invoice import Month
from openfm.core.principal import Principal
from openfm.core.sql import SqlQuestion
from openfm.metering.day_sums import SumKeeper
from openfm.metering.invoices import InvoiceDesk
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.desk import SqlDesk
from openfm.metering.sql.exporter import Exporter
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.store.database import Database
from tests.integration.usage_rows import drawn_rows, insert_rows

_ADMIN = Principal("0", "admin", is_admin=True)
_AT_ONCE = 20_000
_QUESTIONS = {
    "usage page: a month by day": "SELECT usage_date, sum(requests), sum(input_token_count), sum(output_token_count), "
    "sum(cost), max(time_to_first_token_ms_p95) FROM openfm.usage_daily GROUP BY 1 ORDER BY 1",
    "by requester": "SELECT requester, count(*), sum(cost) FROM system.serving.endpoint_usage GROUP BY 1",
    "by tag": "SELECT usage_context['team'], sum(cost) FROM system.serving.endpoint_usage GROUP BY 1",
    "one request": "SELECT * FROM system.serving.endpoint_usage "
    "WHERE databricks_request_id = '00000000000000000000000000000abc'",
    "billing by the hour": "SELECT usage_date, sku_name, sum(usage_quantity) FROM system.billing.usage GROUP BY ALL",
}


def main() -> None:
    """Draw, export, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results/")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="openfm-bench-") as folder:
        figures = _measured(Path(folder), options.rows, options.repeats)
    if options.save:
        path = ROOT / "benchmarks" / "results" / f"usage-{datetime.now(UTC):%Y-%m-%d}.json"
        path.write_text(json.dumps({"machine": machine(), "figures": figures}, indent=2) + "\n", encoding="utf-8")


def _measured(folder: Path, count: int, repeats: int) -> dict[str, float]:
    database = Database(f"sqlite:///{folder / 'openfm.db'}")
    database.migrate()
    archive, processes = Archive(folder / "usage"), SqlProcesses(SqlBounds(seconds=60.0), dict(os.environ))
    drawn = drawn_rows(count, seed=7, days=28)
    done = 0
    while rows := list(islice(drawn, _AT_ONCE)):
        insert_rows(database, rows)
        done += len(rows)
        sys.stderr.write(f"\r{done:>9,} rows drawn")
    exporter, began = Exporter(database, archive, processes), time.perf_counter()
    while exporter.step(fewest=1):
        pass
    figures = {"export_s": time.perf_counter() - began}
    keeper, began = SumKeeper(database), time.perf_counter()
    while keeper.step():
        pass
    figures["daily_sums_s"] = time.perf_counter() - began
    figures["database_mb"] = (folder / "openfm.db").stat().st_size / 1e6
    figures["parquet_mb"] = sum(file.stat().st_size for file in archive.root.rglob("*.parquet")) / 1e6
    desk = SqlDesk(database, archive, processes, "7", lambda _: frozenset())
    print(
        f"\n{count:,} rows: database {figures['database_mb']:.0f} MB, Parquet {figures['parquet_mb']:.0f} MB, ", end=""
    )
    print(f"export {figures['export_s']:.1f} s, daily sums {figures['daily_sums_s']:.1f} s\n")
    for name, text in _QUESTIONS.items():
        question = SqlQuestion(text, 10_000)
        figures[name] = _asked(name, repeats, partial(_answered, desk, question))
    month, invoices = Month.parse("2026-11"), InvoiceDesk(database, lambda: time.time_ns() // 1000)
    figures["invoice"] = _asked("invoice of the month", 3, lambda: invoices.invoice(month, _ADMIN, "json"))
    processes.close()
    database.close()
    print("\ntime = question asked - whole answer here; the process that answers is started while nobody waits")
    return figures


def _answered(desk: SqlDesk, question: SqlQuestion) -> None:
    asyncio.run(desk.ask(question, _ADMIN))


def _asked(name: str, repeats: int, ask: Callable[[], object]) -> float:
    """Milliseconds at the median; a pause before each lets the next process start."""
    taken = []
    for _ in range(repeats):
        time.sleep(1.0)
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    print(f"{name:<28} p50 {percentile(taken, 0.5):8.1f} ms   worst {max(taken):8.1f} ms")
    return percentile(taken, 0.5)


if __name__ == "__main__":
    main()
