"""The whole product from an empty home, with nothing but a browser: once with a mouse, once without."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.hands import Hands, KeyboardHands, MouseHands
from tests.browser.visitor import SCREENSHOTS, Visitor
from tests.conftest import CHAT, Server, StartServer

_REPO = "acme/tiny-chat"
_MODEL = "main.default.tiny_chat"
_ENDPOINT = "support"
_COLLEAGUE = "ann@example.com"
_READY_MS = 120_000
_COMMIT = "a" * 40


@dataclass
class Hub:
    """A model hub on loopback that has one repository with one file."""

    file: Path
    sha256: str
    url: str = ""

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        del request
        headers = {"X-Repo-Commit": _COMMIT, "ETag": f'"{self.sha256}"', "X-Linked-ETag": f'"{self.sha256}"'}
        return web.FileResponse(self.file, headers=headers)

    async def info(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"id": _REPO, "sha": _COMMIT, "siblings": [{"rfilename": "model.gguf"}]})

    async def tree(self, request: web.Request) -> web.Response:
        del request
        one = {"type": "file", "path": "model.gguf", "size": self.file.stat().st_size, "oid": "b" * 40}
        return web.json_response([one])


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    """Serve it."""
    app = web.Application()
    app.router.add_get(f"/{_REPO}/resolve/{{revision}}/{{path:.+}}", hub.resolve)
    app.router.add_get(f"/api/models/{_REPO}/revision/{{revision}}", hub.info)
    app.router.add_get(f"/api/models/{_REPO}/tree/{{revision}}", hub.tree)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hub
    finally:
        await runner.cleanup()


class Story:
    """One person's way through the pages, with a picture of each step."""

    def __init__(self, visitor: Visitor, hands: Hands, name: str) -> None:
        self.visitor, self.page, self.hands = visitor, visitor.page, hands
        self._name, self._step = name, 0

    async def picture(self, what: str) -> None:
        """Keep what is seen now."""
        self._step += 1
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"story-{self._name}-{self._step:02}-{what}.png")

    async def follow(self, link: str, title: str) -> None:
        """A link of the sidebar."""
        navigation = self.page.get_by_role("navigation", name="Main")
        await self.hands.press(navigation.get_by_role("link", name=link, exact=True))
        await self.visitor.heading(title)

    async def ask_briefly(self) -> None:
        """Settings under which an answer is the same each time, and soon there on a busy machine."""
        await self.hands.press(self.page.get_by_role("button", name="Settings"))
        await self.hands.write(self.page.get_by_label("Temperature"), "0")
        await self.hands.write(self.page.get_by_label("Max tokens"), "50")

    async def chat(self) -> None:
        """Talk with the default model."""
        await self.follow("Playground", "Playground")
        await self.ask_briefly()
        await self.hands.write(self.page.get_by_label("Message", exact=True), "Name the capital of France.")
        await self.page.keyboard.press("Enter")
        await expect(self.page.get_by_role("article", name="Answer")).to_contain_text("Paris")
        await expect(self.page.get_by_test_id("stats")).to_contain_text("tokens/s", timeout=_READY_MS)
        await self.picture("chat")

    async def price(self) -> None:
        """Say what tokens cost, so that there is a cost to read."""
        await self.follow("Settings", "Settings")
        await self.hands.press(self.page.get_by_role("button", name="Set a price"))
        dialog = self.page.get_by_role("dialog")
        await self.hands.write(dialog.get_by_label("Name", exact=True), "*")
        await self.hands.write(dialog.get_by_label(re.compile("^Input")), "2.5")
        await self.hands.write(dialog.get_by_label(re.compile("^Output")), "10")
        await self.hands.press(dialog.get_by_role("button", name="Set the price"))
        await expect(dialog).to_be_hidden()
        await self.picture("price")

    async def bring_in_a_model(self) -> None:
        """Import a repository of the hub and wait until it is ready."""
        await self.follow("Models", "Models")
        await self.hands.press(self.page.get_by_role("button", name="Import a model"))
        dialog = self.page.get_by_role("dialog")
        await self.hands.write(dialog.get_by_label("Source"), f"hf://{_REPO}/model.gguf")
        await self.hands.write(dialog.get_by_label("Name"), _MODEL)
        await self.picture("import")
        await self.hands.press(dialog.get_by_role("button", name="Import"))
        await self.visitor.heading(_MODEL)
        version = self.page.get_by_role("article", name="Version 1")
        await expect(version.get_by_text("Ready", exact=True)).to_be_visible(timeout=_READY_MS)
        await self.picture("imported")
        await self.hands.press(version.get_by_role("link", name="Serve"))

    async def provision(self) -> None:
        """Create an endpoint with throughput of its own and watch it become READY."""
        await self.visitor.heading("Create serving endpoint")
        await self.hands.write(self.page.get_by_label("Name", exact=True), _ENDPOINT)
        await self.hands.pick(self.page.get_by_role("radiogroup").first, "Provisioned throughput")
        await self.hands.choose(self.page.get_by_role("combobox", name="Up to"), re.compile("tokens"))
        await self.picture("create")
        await self.hands.press(self.page.get_by_role("button", name="Create", exact=True))
        await self.visitor.heading(_ENDPOINT)
        await self.picture("starting")
        await expect(self.page.get_by_text("Ready", exact=True).first).to_be_visible(timeout=_READY_MS)
        await self.picture("ready")

    async def query(self) -> None:
        """Ask it by its JSON."""
        await self.hands.press(self.page.get_by_role("tab", name="Query"))
        await self.hands.press(self.page.get_by_role("button", name="Send request"))
        await expect(self.page.get_by_text(re.compile("Answered in"))).to_be_visible()
        await self.picture("query")

    async def compare(self) -> None:
        """Two endpoints side by side, one prompt."""
        await self.follow("Playground", "Playground")
        await self.ask_briefly()
        await self.hands.press(self.page.get_by_role("button", name="Add endpoint"))
        await self.hands.write(self.page.get_by_label("Message", exact=True), "Name a colour.")
        await self.page.keyboard.press("Enter")
        for endpoint in (CHAT, _ENDPOINT):
            column = self.page.get_by_role("region", name=re.compile(f"Column .: {endpoint}"))
            answer = column.get_by_role("article", name="Answer").last
            await expect(answer).to_have_attribute("aria-busy", "false", timeout=_READY_MS)
            await expect(answer.get_by_test_id("stats")).to_contain_text(" out")
        await self.picture("compare")

    async def read_the_cost(self) -> None:
        """What all this came to."""
        await self.follow("Usage", "Usage")
        await expect(self.page.get_by_text("USD").first).to_be_visible()
        await self.picture("cost")

    async def invite(self) -> str:
        """A colleague, with a token, who may query the endpoint and no more. The token."""
        await self.follow("Users and groups", "Users and groups")
        await self.hands.press(self.page.get_by_role("button", name="Add a user"))
        dialog = self.page.get_by_role("dialog")
        await self.hands.write(dialog.get_by_label("User name"), _COLLEAGUE)
        await self.hands.press(dialog.get_by_role("button", name="Add", exact=True))
        await expect(dialog.get_by_role("combobox", name="Owner")).to_have_value(_COLLEAGUE)
        await self.hands.press(dialog.get_by_role("button", name="Cancel"))
        await self.follow("Serving endpoints", "Serving endpoints")
        await self.hands.press(self.page.get_by_role("link", name=_ENDPOINT, exact=True))
        await self.hands.press(self.page.get_by_role("tab", name="Permissions"))
        await self.hands.choose(self.page.get_by_role("combobox", name="User, group or service principal"), _COLLEAGUE)
        await self.hands.press(self.page.get_by_role("button", name="Add", exact=True))
        granted = self.page.get_by_role("combobox", name=f"Permission of {_COLLEAGUE}")
        await expect(granted).to_have_value("Can query")
        await self.picture("permission")
        await self.follow("Access tokens", "Access tokens")
        await self.hands.press(self.page.get_by_role("button", name="Create a token"))
        await self.hands.write(dialog.get_by_label("Comment"), "for Ann")
        await self.hands.choose(dialog.get_by_role("combobox", name="Owner"), _COLLEAGUE)
        await self.hands.press(dialog.get_by_role("button", name="Create", exact=True))
        token = await dialog.locator("pre").inner_text()
        await self.picture("token")
        await self.hands.press(dialog.get_by_role("button", name="Done"))
        return token.strip()


async def colleague_finds_the_permission_holds(story: Story) -> None:
    """Ann may ask the endpoint; nothing that she may not do is offered."""
    page, hands = story.page, story.hands
    await story.visitor.heading("Serving endpoints")
    for hidden in ("Users and groups", "Settings"):
        await expect(page.get_by_role("link", name=hidden, exact=True)).to_have_count(0)
    await hands.press(page.get_by_role("link", name=_ENDPOINT, exact=True))
    await story.visitor.heading(_ENDPOINT)
    await expect(page.get_by_role("link", name="Edit", exact=True)).to_have_count(0)
    await story.query()


def sha256_of(file: Path) -> str:
    """As the hub names it."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def mouse(page: Page) -> Hands:
    return MouseHands(page)


def keyboard(page: Page) -> Hands:
    return KeyboardHands(page)


@pytest.fixture
async def server_with_a_hub(
    start_server: StartServer, chat_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    """A server with an empty home, whose model hub is on loopback."""
    async with running(Hub(chat_model_file, await asyncio.to_thread(sha256_of, chat_model_file))) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield await asyncio.to_thread(start_server)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("hands_of", [mouse, keyboard])
async def test_the_whole_product_from_the_browser_alone(
    hands_of: Callable[[Page], Hands], visit: Visit, server_with_a_hub: Server
) -> None:
    name = hands_of.__name__
    admin = await visit(server_with_a_hub)
    story = Story(admin, hands_of(admin.page), name)
    await story.picture("signed-in")
    await story.price()
    await story.chat()
    await story.bring_in_a_model()
    await story.provision()
    await story.query()
    await story.compare()
    await story.read_the_cost()
    token = await story.invite()
    colleague = await visit(server_with_a_hub, token=token)
    await colleague_finds_the_permission_holds(Story(colleague, hands_of(colleague.page), f"{name}-colleague"))
