"""Somebody at the pages: a browser window that is signed in, and that notices what no visitor should see."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect

ROOT = Path(__file__).parent.parent.parent
SCREENSHOTS = ROOT / ".dev" / "screenshots"
_AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
_WIDE, _PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_LIMIT_MS = 15_000
_MOST_NODES = 3  # of one kind; the others look alike
# What fades in has other colours on the way. A spinner never ends: those are left alone.
_SETTLED = """() => Promise.allSettled(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
    .map((one) => one.finished))"""


@dataclass
class Visitor:
    """One window. `page` is Playwright's; what follows is what every test wants of it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect_error(self, words: str) -> None:
        """The console may say this: the browser reports each refused request there."""
        self.expected.append(words)

    async def open(self, path: str = "") -> None:
        """Go to a page below /ui/."""
        await self.page.goto(f"{self.url}/ui/{path}")

    async def sign_in(self, token: str) -> None:
        """Paste a token, Enter."""
        await self.page.get_by_label("Access token", exact=True).fill(token)
        await self.page.keyboard.press("Enter")
        await expect(self.page.get_by_role("navigation", name="Main")).to_be_attached()

    async def go(self, link: str) -> None:
        """Follow a link of the sidebar."""
        await self.page.get_by_role("navigation", name="Main").get_by_role("link", name=link, exact=True).click()

    async def heading(self, title: str) -> None:
        """Wait until the page of this title is shown."""
        await expect(self.page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()

    async def look(self, name: str) -> None:
        """Judge what is shown by axe in both colour schemes, and keep screenshots: light, dark, and a phone's.

        Whatever is opened stays open, but a change of size closes what hangs on the window's size, and what only the
        mouse's place shows is not looked at.
        """
        await self.page.mouse.move(0, 0)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        found = []
        for scheme in ("light", "dark"):
            await self._use_scheme(scheme)
            await self.page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png", full_page=True)
            found += [f"{scheme}: {one}" for one in await self.violations()]
        await self._use_scheme("light")
        await self.page.set_viewport_size(_PHONE)  # type: ignore[arg-type]  # its TypedDict
        await self.page.screenshot(path=SCREENSHOTS / f"{name}-phone.png", full_page=True)
        found += [f"phone: {one}" for one in await self.violations()]
        wider = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        await self.page.set_viewport_size(_WIDE)  # type: ignore[arg-type]
        assert not found, "\n".join(found)
        assert wider <= 0, f"on a phone the page is {wider} px wider than the screen"

    async def violations(self) -> list[str]:
        """What axe has against what is shown."""
        await self.page.evaluate(_SETTLED)
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        ask = "(tags) => axe.run(document, { runOnly: tags, resultTypes: ['violations'] })"
        found = (await self.page.evaluate(ask, _STANDARDS))["violations"]
        return [
            f"{one['id']}: {node['failureSummary'].splitlines()[-1].strip()} {node['html'][:120]}"
            for one in found
            for node in one["nodes"][:_MOST_NODES]
        ]

    async def _use_scheme(self, scheme: str) -> None:
        # The page's own switch writes the same attribute; a reload would lose what is opened.
        await self.page.evaluate(
            "(to) => document.documentElement.setAttribute('data-mantine-color-scheme', to)", scheme
        )

    def complain(self) -> None:
        """Fail for what the console said, what was thrown, and what was asked of other hosts."""
        found = [one for one in self.complaints if not any(words in one for words in self.expected)]
        assert not found, "\n".join(found)


@asynccontextmanager
async def visiting(browser: Browser, url: str, given: Sequence[str] = ()) -> AsyncIterator[Visitor]:
    """A window of its own: no cookies, no storage; `given` are permissions, such as "clipboard-read"."""
    context = await browser.new_context(
        viewport=_WIDE,  # type: ignore[arg-type]  # its TypedDict
        reduced_motion="reduce",
        locale="en-GB",
        permissions=list(given),
    )
    context.set_default_timeout(_LIMIT_MS)
    page = await context.new_page()
    visitor = Visitor(page, url)
    own = urlsplit(url).netloc

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visitor.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def see(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != own:
            visitor.complaints.append(f"asked another host: {request.url}")

    page.on("console", hear)
    page.on("request", see)
    page.on("pageerror", lambda error: visitor.complaints.append(f"thrown: {error}"))
    try:
        yield visitor
        visitor.complain()
    finally:
        await context.close()
