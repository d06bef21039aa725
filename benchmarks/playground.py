"""What the AI Playground does with four columns that stream at once: what is lost, how quick it stays, how it grows.

A real Chromium at a real server; the streams come from a provider on this machine, as fast as they are asked for here.
"""

import argparse
import asyncio
import json
import math
import os
import re
import socket
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from playwright.async_api import Browser, CDPSession, Page, async_playwright, expect

from benchmarks.gateway_overhead import ROOT, machine, percentile
from tests.browser.chromium import chromium

_START_LIMIT_S = 120.0
_TOKEN = "benchmark-token"
_MB = 1 << 20
_STEP_MS = 10
_FORMULAS = f"""\
lost = words that the provider sent and that are not in the answer as it is shown, in their order
blocked = how much later than {_STEP_MS} ms a timer of {_STEP_MS} ms came, all of them from the first word to the last;
        long tasks are those above 50 ms, as the browser itself reports them
heap = the page's JavaScript heap after a collection, at the tenth and at the last part of the run; an answer's own text
        and its events (at most 2,000 are kept) are in it
rate = words a second that were sent to all columns together"""
_SAMPLER = """(stepMs) => {
  const state = { late: [], long: [] };
  window.openfmSampler = state;
  new PerformanceObserver((list) => state.long.push(...list.getEntries().map((one) => one.duration)))
    .observe({ entryTypes: ['longtask'] });
  let due = performance.now() + stepMs;
  const tick = () => {
    const now = performance.now();
    state.late.push(Math.max(0, now - due));
    due = now + stepMs;
    setTimeout(tick, stepMs);
  };
  setTimeout(tick, stepMs);
}"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many columns, words a second in each, and for how long."""

    columns: int
    words_per_s: float
    seconds: float

    @property
    def words(self) -> int:
        """Of one answer."""
        return round(self.words_per_s * self.seconds)


class Provider:
    """Streams numbered words at an even pace, as Markdown with headings, lists, bold words and code."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.sent = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A chat completion."""
        await request.read()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        began = time.monotonic()
        for number in range(self._plan.words):
            await asyncio.sleep(max(0.0, began + number / self._plan.words_per_s - time.monotonic()))
            await response.write(_event({"delta": {"content": _word(number)}, "index": 0, "finish_reason": None}))
            self.sent += 1
        await response.write(_event({"delta": {}, "index": 0, "finish_reason": "stop"}))
        await response.write(b"data: [DONE]\n\n")
        return response


def _word(number: int) -> str:
    """The word of this number, and what Markdown is around it."""
    before = {0: "\n\n## ", 20: "\n\n- ", 40: "\n- ", 60: "\n\n```python\n", 80: "\n```\n\n"}.get(number % 100, "")
    after = "\n" if number % 100 == 19 else " "
    return f"{before}{f'**w{number}**' if number % 100 == 90 else f'w{number}'}{after}"


def _event(choice: dict[str, Any]) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@asynccontextmanager
async def serving(provider: Provider) -> AsyncIterator[str]:
    """The provider's base URL."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def started(home: Path, models_dir: Path) -> AsyncIterator[str]:
    """A server's URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environ = os.environ | {"OPENFM_ADMIN_TOKEN": _TOKEN, "OPENFM_EGRESS_ALLOW": "127.0.0.1"}
    flags = ["--home", str(home), "--models-dir", str(models_dir), "--port", str(port)]
    command = [sys.executable, "-m", "openfm", "serve", *flags]
    with (home / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(_START_LIMIT_S), aiohttp.ClientSession() as session:
            while not await _is_ready(session, url):  # noqa: ASYNC110  # a real server
                await asyncio.sleep(0.2)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def create(url: str, provider: str, names: list[str]) -> None:
    """An endpoint for each column. Raises `aiohttp.ClientResponseError`."""
    config = {"openai_api_base": provider, "openai_api_key_plaintext": "k"}
    external = {"name": "m", "provider": "openai", "task": "llm/v1/chat", "openai_config": config}
    headers = {"authorization": f"Bearer {_TOKEN}"}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
        for name in names:
            body = {"name": name, "config": {"served_entities": [{"name": "m", "external_model": external}]}}
            async with session.post(f"{url}/api/2.0/serving-endpoints", json=body):
                pass
            while True:
                async with session.get(f"{url}/api/2.0/serving-endpoints/{name}") as answer:
                    if (await answer.json())["state"]["ready"] == "READY":
                        break
                await asyncio.sleep(0.1)


def link(url: str, names: list[str]) -> str:
    """The playground with these columns, as its own button shares it."""
    columns = [{"endpoint": name, "system": "", "params": {}} for name in names]
    state = {"columns": columns, "sync": {"prompt": True, "settings": True}, "draft": "Go on."}
    return f"{url}/ui/playground?s={urlsafe_b64encode(json.dumps(state).encode()).decode().rstrip('=')}"


async def opened(browser: Browser, url: str, names: list[str]) -> Page:
    """A window at the playground, signed in, the prompt written."""
    page = await browser.new_page(viewport={"width": 1600, "height": 900})
    await page.goto(link(url, names))
    await page.get_by_label("Access token", exact=True).fill(_TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("combobox", name=f"Endpoint {len(names)}")).to_have_value(names[-1])
    return page


async def heap_mb(session: CDPSession) -> float:
    """What is in use after a collection."""
    await session.send("HeapProfiler.collectGarbage")
    return float((await session.send("Runtime.getHeapUsage"))["usedSize"]) / _MB


async def measure(url: str, provider: Provider, plan: Plan) -> dict[str, Any]:
    """One run."""
    names = [f"column-{number + 1}" for number in range(plan.columns)]
    async with serving(provider) as base, async_playwright() as playwright:
        await create(url, base, names)
        program = await asyncio.to_thread(chromium)
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = await opened(browser, url, names)
        session = await page.context.new_cdp_session(page)
        before = await heap_mb(session)
        await page.evaluate(_SAMPLER, _STEP_MS)
        began = time.monotonic()
        await page.get_by_role("button", name="Send").click()
        await asyncio.sleep(plan.seconds / 10)
        early = await heap_mb(session)
        await asyncio.sleep(max(0.0, began + 0.97 * plan.seconds - time.monotonic()))
        late = await heap_mb(session)
        busy = page.locator("article[aria-label='Answer'][aria-busy='true']")
        await expect(busy).to_have_count(0, timeout=(plan.seconds + 30) * 1000)
        took = time.monotonic() - began
        sampled = await page.evaluate("window.openfmSampler")
        lost = [await _lost(page, number + 1, plan.words) for number in range(plan.columns)]
        await browser.close()
    return {
        "sent": provider.sent,
        "lost": sum(lost),
        "seconds": took,
        "rate": provider.sent / took,
        "blocked_p50_ms": percentile(sampled["late"], 0.5),
        "blocked_p99_ms": percentile(sampled["late"], 0.99),
        "blocked_max_ms": max(sampled["late"]),
        "long_tasks": len(sampled["long"]),
        "longest_task_ms": max(sampled["long"], default=0.0),
        "heap_before_mb": before,
        "heap_early_mb": early,
        "heap_late_mb": late,
    }


async def _lost(page: Page, column: int, words: int) -> int:
    """How many words of the answer are not shown, or not in order; the whole text is opened for that."""
    region = page.get_by_role("region", name=f"Conversation {column}")
    answer = region.locator("article[aria-label='Answer']")
    more = answer.get_by_role("button", name="Show more")
    while await more.count():
        await more.click()
    found = iter(re.findall(r"w\d+", await answer.text_content() or ""))
    return sum(f"w{number}" not in found for number in range(words))  # each search goes on where the last one ended


def show(found: dict[str, Any], plan: Plan) -> None:
    """The figures, for people."""
    print(f"{plan.columns} columns, {plan.words_per_s:g} words/s each, {plan.seconds:g} s\n")
    print(f"sent {found['sent']}, lost {found['lost']}, {found['rate']:.0f} words/s in all, {found['seconds']:.1f} s")
    print(
        f"main thread blocked: p50 {found['blocked_p50_ms']:.1f} ms, p99 {found['blocked_p99_ms']:.1f} ms, "
        f"most {found['blocked_max_ms']:.0f} ms; {found['long_tasks']} long tasks, "
        f"the longest {found['longest_task_ms']:.0f} ms"
    )
    print(
        f"heap: {found['heap_before_mb']:.1f} MB before, {found['heap_early_mb']:.1f} MB after a tenth, "
        f"{found['heap_late_mb']:.1f} MB at the end"
    )


async def run(plan: Plan, models_dir: Path) -> dict[str, Any]:
    """On a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with started(Path(folder), models_dir) as url:
            return await measure(url, Provider(plan), plan)


def main() -> None:
    """Measure and print; `--save` keeps the figures under benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=4, choices=range(1, 5))
    parser.add_argument("--words-per-s", type=float, default=200.0, help="of each column")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--models-dir", type=Path, default=ROOT / ".dev" / "models")
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    plan = Plan(args.columns, args.words_per_s, args.seconds)
    found = asyncio.run(run(plan, args.models_dir))
    if not math.isfinite(found["rate"]):
        raise AssertionError("nothing was sent")
    show(found, plan)
    print(f"\n{_FORMULAS}")
    if args.save:
        path = ROOT / "benchmarks" / "results" / f"playground-{time.strftime('%Y-%m-%d')}.json"
        path.write_text(json.dumps({"machine": machine(), "figures": found}, indent=1) + "\n", encoding="utf-8")
        print(f"saved to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
