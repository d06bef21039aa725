"""A real browser at a really started server."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.chromium import NoChromium, chromium
from tests.browser.visitor import Visitor, visiting
from tests.conftest import Server

_LIMIT_MS = 15_000

Visit = Callable[..., Awaitable[Visitor]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium, without a screen."""
    try:
        program = await asyncio.to_thread(chromium)
    except NoChromium as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(why))
    expect.set_options(timeout=_LIMIT_MS)
    async with async_playwright() as playwright:
        # As root it has no sandbox of its own; it opens no page but ours.
        started = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        await started.close()


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """A window at a server: `await visit(server)` is signed in as the admin, `visit(server, token=…)` as somebody else.

    `token=""` leaves the window at the sign-in page. When the test ends, each window fails it for what no visitor
    should see: errors in the console, requests to other hosts.
    """
    async with AsyncExitStack() as stack:

        async def open_window(server: Server, path: str = "", *, token: str | None = None) -> Visitor:
            visitor = await stack.enter_async_context(
                visiting(browser, server.url, ("clipboard-read", "clipboard-write"))
            )
            await visitor.open(path)
            if token != "":
                await visitor.sign_in(server.token if token is None else token)
            return visitor

        yield open_window
