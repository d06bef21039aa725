"""The web pages with much in them: 500 endpoints and a million rows of the ledger, in a real browser.

How long until a page can be used, from a cold start and from the sidebar, and what the first load transfers.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from benchmarks.control_plane import Caller, Running, SilentProvider, creation, started, wait_ready
from benchmarks.gateway_overhead import ROOT, machine, percentile
from openfm.metering.sql.archive import Archive
from openfm.metering.sql.exporter import Exporter
from openfm.metering.sql.processes import SqlBounds, SqlProcesses
from openfm.store.database import Database
from tests.browser.chromium import chromium
from tests.integration.usage_rows import drawn_rows, insert_rows

_AT_ONCE = 20_000
_LIMIT_S = 60
_USED = "chat-0"  # an endpoint that the rows are of
_FORMULAS = """\
from cold = navigation began - the page's content is there and can be used, with an empty cache, signed in; by the
        browser's own clock, looked at each time it draws
from the sidebar = link pressed - the same, the pages' code loaded before
transferred = bytes of bodies and headers as they came over the wire (compressed), of an empty cache; at the
        sign-in page, and with the list of endpoints after it"""

_SEEN = """([selector, text]) => new Promise((resolve) => {
  const look = () => {
    const isThere = [...document.querySelectorAll(selector)]
      .some((one) => one.getClientRects().length > 0 && (one.textContent + (one.placeholder ?? '')).includes(text));
    if (isThere) resolve(performance.now());
    else requestAnimationFrame(look);
  };
  look();
})"""


@dataclass(frozen=True, slots=True)
class Content:
    """What is there once a page can be used: an element of this selector that has this text."""

    selector: str
    text: str = ""


def fill(home: Path, count: int) -> None:
    """A ledger of so many rows, exported as the server would have done it."""
    database = Database(f"sqlite:///{home / 'openfm.db'}")
    database.migrate()
    drawn = drawn_rows(count, seed=7, days=22)
    while rows := list(islice(drawn, _AT_ONCE)):
        insert_rows(database, rows)
    processes = SqlProcesses(SqlBounds(seconds=60.0), {})
    exporter = Exporter(database, Archive(home / "usage"), processes)
    while exporter.step(fewest=1):
        pass
    processes.close()
    database.close()


class Window:
    """A browser window that is signed in."""

    def __init__(self, page: Page, server: Running) -> None:
        self.page, self._server = page, server

    async def sign_in(self) -> None:
        """With the admin's token."""
        await self.page.goto(f"{self._server.url}/ui/")
        await self.page.get_by_label("Access token", exact=True).fill(self._server.token)
        await self.page.keyboard.press("Enter")
        await self.page.get_by_role("navigation", name="Main").wait_for()

    async def cold(self, path: str, content: Content) -> float:
        """Milliseconds from the navigation on, with an empty cache."""
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("Network.clearBrowserCache")
        await self.page.goto(f"{self._server.url}/ui/{path}", wait_until="commit")
        return await self._seen(content)

    async def warm(self, link: str, content: Content) -> float:
        """Milliseconds from pressing a link of the sidebar on."""
        target = self.page.get_by_role("navigation", name="Main").get_by_role("link", name=link, exact=True)
        await target.hover()
        began = float(await self.page.evaluate("performance.now()"))
        await self.page.mouse.down()
        await self.page.mouse.up()
        return await self._seen(content) - began

    async def _seen(self, content: Content) -> float:
        """When the content was drawn, by the browser's own clock."""
        async with asyncio.timeout(_LIMIT_S):
            return float(await self.page.evaluate(_SEEN, [content.selector, content.text]))


def contents(endpoints: int) -> dict[str, tuple[str, str | None, Content]]:
    """Of each page its path, its link in the sidebar, and what is there once it can be used."""
    last = f"bench-{min(endpoints, 20) - 1:04}"
    return {
        "Serving endpoints": ("endpoints", "Serving endpoints", Content("table a", last)),
        "Usage": ("usage", "Usage", Content("table", _USED)),
        "Requests of an endpoint": (f"endpoints/{_USED}?tab=requests", None, Content("table tbody tr")),
        "Playground": ("playground", "Playground", Content("textarea", "Ask something")),
    }


_MODELS = Content("h1", "Models")


async def transferred(browser: Browser, server: Running) -> dict[str, float]:
    """Kilobytes of the first load."""
    page = await (await browser.new_context()).new_page()
    session = await page.context.new_cdp_session(page)
    total = 0.0

    def add(event: dict[str, Any]) -> None:
        nonlocal total
        total += event["encodedDataLength"]

    session.on("Network.loadingFinished", add)
    await session.send("Network.enable")
    window = Window(page, server)
    await page.goto(f"{server.url}/ui/", wait_until="networkidle")
    at_sign_in = total
    await window.sign_in()
    await page.wait_for_load_state("networkidle")
    await page.context.close()
    return {"sign_in_kb": at_sign_in / 1000, "endpoints_kb": total / 1000}


async def measure(server: Running, endpoints: int, repeats: int) -> dict[str, Any]:
    """All pages, some times each."""
    async with async_playwright() as playwright:
        program = await asyncio.to_thread(chromium)
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        first = await transferred(browser, server)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        window = Window(page, server)
        await window.sign_in()
        found: dict[str, Any] = {"first_load": first}
        for name, (path, link, content) in contents(endpoints).items():
            cold = [await window.cold(path, content) for _ in range(repeats)]
            figures = {"cold_p50_ms": percentile(cold, 0.5), "cold_max_ms": max(cold)}
            if link is not None:
                warm = []
                for _ in range(repeats):
                    await window.warm("Models", _MODELS)
                    warm.append(await window.warm(link, content))
                figures |= {"warm_p50_ms": percentile(warm, 0.5), "warm_max_ms": max(warm)}
            found[name] = figures
        await browser.close()
    return found


def show(found: dict[str, Any]) -> None:
    """The table."""
    first = found["first_load"]
    print(f"transferred: {first['sign_in_kb']:.0f} kB at the sign-in page, ", end="")
    print(f"{first['endpoints_kb']:.0f} kB with the list\n")
    print(f"{'':26}{'cold p50 ms':>14}{'worst':>10}{'sidebar p50 ms':>18}{'worst':>10}")
    for name, row in found.items():
        if name == "first_load":
            continue
        keys = ("cold_p50_ms", "cold_max_ms", "warm_p50_ms", "warm_max_ms")
        cells = [f"{row[key]:.0f}" if key in row else "-" for key in keys]
        print(f"{name:26}{cells[0]:>14}{cells[1]:>10}{cells[2]:>18}{cells[3]:>10}")


def main() -> None:
    """Fill a home, start a server on it, look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--endpoints", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models-dir", type=Path, default=ROOT / ".dev" / "models")
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results/")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="openfm-bench-") as folder:
        fill(Path(folder), asked.rows)
        provider = SilentProvider()
        with started(Path(folder), asked.models_dir) as server:
            caller = Caller(server)
            for number in range(asked.endpoints):
                caller.ask("POST", "/api/2.0/serving-endpoints", creation(number, provider.url))
            used = {**creation(asked.endpoints, provider.url), "name": _USED}
            caller.ask("POST", "/api/2.0/serving-endpoints", used)
            wait_ready(caller, asked.endpoints)
            found = asyncio.run(measure(server, asked.endpoints, asked.repeats))
        provider.close()
    print(f"{asked.endpoints} endpoints, {asked.rows:,} rows of the ledger")
    show(found)
    print(f"\n{_FORMULAS}")
    if asked.save:
        path = ROOT / "benchmarks" / "results" / f"pages-{datetime.now(UTC):%Y-%m-%d}.json"
        path.write_text(json.dumps({"machine": machine(), "figures": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
