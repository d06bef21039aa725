"""A real browser at a really started server."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.chromium import NoChromium, chromium
from tests.browser.visitor import Visitor, visiting
from tests.conftest import Server

_LIMIT_MS = 15_000

Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a screen."""
    try:
        program = chromium()
    except NoChromium as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(why))
    expect.set_options(timeout=_LIMIT_MS)
    with sync_playwright() as playwright:
        # As root it has no sandbox of its own; it opens no page but ours.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A window at a server: `visit(server)` is signed in as the admin, `visit(server, token=…)` as somebody else.

    `token=""` leaves the window at the sign-in page. When the test ends, each window fails it for what no visitor
    should see: errors in the console, requests to other hosts.
    """
    with ExitStack() as stack:

        def open_window(server: Server, path: str = "", *, token: str | None = None) -> Visitor:
            visitor = stack.enter_context(visiting(browser, server.url, ("clipboard-read", "clipboard-write")))
            visitor.open(path)
            if token != "":
                visitor.sign_in(server.token if token is None else token)
            return visitor

        yield open_window
