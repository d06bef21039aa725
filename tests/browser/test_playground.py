"""The playground with answers that no model can be relied on to give, and when work is interrupted."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.provider import Provider, providing
from tests.browser.visitor import SCREENSHOTS, Visitor
from tests.conftest import CHAT, Server, StartServer

_HOSTILE = """\
<script>document.title = 'taken'</script>

<img src="x" onerror="document.title = 'taken'"> <b onclick="document.title = 'taken'">bold?</b>

[press me](javascript:document.title='taken') [data](data:text/html,<script>1</script>) [fine](https://example.com/)

![a picture](https://example.com/pixel.png)

<iframe src="https://example.com/"></iframe>

\x1b[31mred\x1b[0m \x1b]0;taken\x07 and \u202eesrever
"""
_BROKEN = ("Some **bold", "** words\n\n| a | b |\n|---|---|\n| 1 ", "\n\n```python\nprint('never clo", "sed")
_FORMULAS = (
    r"The roots are \(x_{1,2}\), it costs $5 to $6:",
    "\n\n\\[x = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}\\]\n\n",
    "$$\\href{javascript:alert(1)}{y}$$",
)
_ENDED = "Your session has ended"
_LONG = "x" * 50_000
_SAYS = {
    "says-hostile": (_HOSTILE,),
    "says-broken": _BROKEN,
    "says-formulas": _FORMULAS,
    "says-a-megabyte": (_LONG,) * 20,
    "says-a-part": ("What came before ", "what comes after"),
    "says-nothing": (),
}


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Server:
    return start_server(egress_allow="127.0.0.1")


@pytest.fixture
async def provider(own: Server) -> AsyncIterator[Provider]:
    async with providing(Provider(_SAYS, frozenset({"says-broken", "says-a-part"})), own) as started:
        yield started


def _answers(page: Page) -> Locator:
    return page.get_by_role("article", name="Answer")


async def _expect_answered(page: Page, number: int = 1) -> None:
    """So many answers are there, whole."""
    await expect(page.locator("article[aria-label=Answer][aria-busy=false]")).to_have_count(number, timeout=60_000)
    await expect(page.get_by_test_id("stats").last).to_contain_text(" out")


def _field(page: Page) -> Locator:
    return page.get_by_label("Message", exact=True)


async def _ask(visitor: Visitor, *endpoints: str) -> None:
    """A column for each endpoint, and a question."""
    page = visitor.page
    await visitor.open(f"playground?endpoint={endpoints[0]}")
    await expect(page.get_by_role("combobox", name="Endpoint 1")).to_have_value(endpoints[0])
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_label("Max tokens").fill("30")
    await page.get_by_role("button", name="Settings").click()
    for number, endpoint in enumerate(endpoints[1:], 2):
        await page.get_by_role("button", name="Add endpoint").click()
        await page.get_by_role("combobox", name=f"Endpoint {number}").click()
        await page.get_by_role("option", name=endpoint, exact=True).click()
    await _field(page).fill("Say it.")
    await page.keyboard.press("Enter")


@pytest.mark.usefixtures("provider")
async def test_nothing_that_a_model_writes_is_run_followed_or_loaded(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    await _ask(visitor, "says-hostile")
    answer = _answers(visitor.page)
    await expect(visitor.page.get_by_test_id("stats")).to_contain_text("stop")
    await expect(answer).to_contain_text("<script>document.title = 'taken'</script>")
    await expect(answer.locator("script, iframe, img, [onerror], [onclick]")).to_have_count(0)
    links = answer.get_by_role("link")
    assert [await link.get_attribute("href") for link in await links.all()] == ["https://example.com/"]
    await expect(answer).to_contain_text("red")
    assert not re.search(r"[\x1b\x07\u202e]", await answer.inner_text())
    await expect(visitor.page).to_have_title("Playground · openfm")
    await visitor.look("playground-hostile")


async def test_markdown_that_is_broken_off_is_shown_as_far_as_it_goes(
    visit: Visit, own: Server, provider: Provider
) -> None:
    visitor = await visit(own)
    await _ask(visitor, "says-broken")
    answer = _answers(visitor.page)
    await expect(answer.locator("strong")).to_have_text("bold")
    await expect(answer.get_by_role("table")).to_contain_text("1")
    await expect(answer.get_by_role("region", name="Code: python")).to_contain_text("print('never clo")
    await visitor.look("playground-streaming")
    provider.release.set()
    await expect(answer.get_by_role("region", name="Code: python")).to_contain_text("never closed")


@pytest.mark.usefixtures("provider")
async def test_formulas_are_drawn_and_money_is_money(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    await _ask(visitor, "says-formulas")
    answer = _answers(visitor.page)
    await expect(answer.locator("math").first).to_be_visible()
    await expect(answer.locator("math mfrac")).to_have_count(1)
    await expect(answer).to_contain_text("it costs $5 to $6")
    await expect(answer.locator("a")).to_have_count(0)
    await visitor.look("playground-formulas")


@pytest.mark.usefixtures("provider")
async def test_a_megabyte_on_one_line_leaves_the_page_quick_to_use(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    await _ask(visitor, "says-a-megabyte")
    page = visitor.page
    await expect(page.get_by_role("button", name=re.compile("Show more .970,000 characters left"))).to_be_visible()
    await _field(page).fill("still here")
    await expect(_field(page)).to_have_value("still here")
    await visitor.look("playground-megabyte")


@pytest.mark.usefixtures("provider")
async def test_stop_keeps_what_came_and_one_column_that_fails_stops_no_other(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    visitor.expect_error("500")
    visitor.expect_error("502")
    await _ask(visitor, "says-a-part", "says-nothing", "says-hostile", CHAT)
    page = visitor.page
    columns = [page.get_by_role("region", name=re.compile(f"Column {number}:")) for number in (1, 2, 3, 4)]
    await expect(columns[1].get_by_role("alert")).to_contain_text("No whole answer")
    await expect(columns[2].get_by_test_id("stats")).to_contain_text("stop")
    await expect(_answers(page).first).to_contain_text("What came before")
    await page.get_by_role("button", name="Stop column 1").click()
    await expect(columns[0]).to_contain_text("Stopped. What had come is kept.")
    await expect(columns[0].get_by_role("article", name="Answer")).to_contain_text("What came before")
    await expect(columns[3].get_by_test_id("stats")).to_contain_text(" out", timeout=60_000)
    await visitor.look("playground-columns")


async def test_conversations_are_exported_and_imported_again(
    visit: Visit, own: Server, provider: Provider, tmp_path: Path
) -> None:
    visitor = await visit(own)
    page = visitor.page
    provider.release.set()
    await _ask(visitor, "says-a-part")
    await expect(page.get_by_test_id("stats")).to_contain_text("stop")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Export").click()
    file = tmp_path / "saved.json"
    await (await downloading.value).save_as(file)
    await page.get_by_role("button", name="Clear").click()
    await expect(_answers(page)).to_have_count(0)
    await page.locator("input[accept='application/json']").set_input_files(file)
    await expect(_answers(page)).to_contain_text("What came before what comes after")
    await expect(page.get_by_test_id("stats")).to_contain_text("stop")
    (tmp_path / "other.json").write_text('{"columns": 1}', encoding="utf-8")
    await page.locator("input[accept='application/json']").set_input_files(tmp_path / "other.json")
    await expect(page.get_by_role("alert")).to_contain_text("not one that this page exported: columns")
    await expect(_answers(page)).to_have_count(1)
    await visitor.look("playground-imported")


async def test_a_reload_keeps_the_conversation_and_signing_out_forgets_it(
    visit: Visit, own: Server, provider: Provider
) -> None:
    visitor = await visit(own)
    page = visitor.page
    provider.release.set()
    await _ask(visitor, "says-a-part")
    await expect(page.get_by_test_id("stats")).to_contain_text("stop")
    await _field(page).fill("And now?")
    await page.reload()
    await expect(_answers(page)).to_contain_text("What came before what comes after")
    await expect(_field(page)).to_have_value("And now?")
    await expect(page.get_by_role("button", name="Settings (1 changed)")).to_be_visible()
    await page.get_by_role("button", name=re.compile("Signed in as")).click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_label("Access token", exact=True)).to_be_visible()
    await page.reload()
    await visitor.sign_in(own.token)
    await visitor.heading("Playground")
    await expect(_field(page)).to_have_value("")
    await expect(_answers(page)).to_have_count(0)


@pytest.mark.parametrize("size", [(1440, 900), (1280, 800), (390, 844)])
@pytest.mark.usefixtures("provider")
async def test_what_is_written_into_is_in_view_from_the_first_question_on(
    size: tuple[int, int], visit: Visit, own: Server
) -> None:
    visitor = await visit(own)
    page, (width, height) = visitor.page, size
    await page.set_viewport_size({"width": width, "height": height})
    send = page.get_by_role("button", name="Send")
    await visitor.open("playground?endpoint=says-hostile")
    await expect(send).to_be_in_viewport(ratio=1)
    await page.get_by_role("button", name="Add endpoint").click()
    await page.get_by_role("button", name="Settings").first.click()
    await expect(page.get_by_role("textbox", name="System prompt")).to_be_visible()
    await expect(send).to_be_in_viewport(ratio=1)
    await expect(_field(page)).to_be_in_viewport(ratio=1)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"playground-window-{width}.png")


@pytest.mark.usefixtures("provider")
async def test_an_endpoint_that_answers_is_added_before_one_that_does_not(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    page = visitor.page

    async def with_one_that_failed(route: Route) -> None:
        answer = await route.fetch()
        found = await answer.json()
        broken = {**found["endpoints"][0], "name": "a-broken", "task": "llm/v1/chat"}
        broken["state"] = {"ready": "NOT_READY", "config_update": "UPDATE_FAILED"}
        await route.fulfill(response=answer, json={"endpoints": [broken, *found["endpoints"]]})

    await page.route("**/api/2.0/serving-endpoints", with_one_that_failed)
    await visitor.open("playground")
    for number in (2, 3):
        await page.get_by_role("button", name="Add endpoint").click()
        await expect(page.get_by_role("combobox", name=f"Endpoint {number}")).not_to_have_value("a-broken")
    await page.get_by_role("switch", name="Same system prompt for all").click()
    await page.get_by_role("button", name="Settings").first.click()
    await page.get_by_role("textbox", name="System prompt").fill("Be short.")
    await page.get_by_label("Temperature").fill("0")
    await expect(page.get_by_role("button", name="Settings (2 changed)")).to_have_count(1)
    await expect(page.get_by_role("button", name="Settings (1 changed)")).to_have_count(2)


async def test_a_session_that_ends_keeps_the_conversation_and_the_draft(visit: Visit, own: Server) -> None:
    async with _short_session(own) as (token, end):
        visitor = await visit(own, token=token)
        page = visitor.page
        await _ask(visitor, CHAT)
        await _expect_answered(page)
        await _field(page).fill("And now?")
        visitor.expect_error("401")
        await end()
    await _sign_in_again(visitor, own)  # asked for by the page's next look at the endpoints
    await expect(_field(page)).to_have_value("And now?")
    await _field(page).press("Enter")
    await _expect_answered(page, 2)


async def test_a_question_that_met_the_end_of_its_session_is_asked_again(visit: Visit, own: Server) -> None:
    async with _short_session(own) as (token, end):
        visitor = await visit(own, token=token)
        page = visitor.page
        await _ask(visitor, CHAT)
        await _expect_answered(page)
        await page.route("**/api/2.0/**", lambda route: route.abort())  # the question is to find it out, not the page
        visitor.expect_error("ERR_FAILED")
        visitor.expect_error("401")
        await end()
    await _field(page).fill("And now?")
    await _field(page).press("Enter")
    await expect(page.get_by_role("dialog", name=_ENDED)).to_be_visible()
    await page.unroute_all()
    await _sign_in_again(visitor, own)
    await expect(page.get_by_role("article", name="You")).to_have_count(2)
    await _answers(page).last.get_by_role("button", name=re.compile("Answer again|Try again")).first.click()
    await _expect_answered(page, 2)


async def test_a_server_that_goes_and_comes_back_is_said_and_loses_nothing(
    visit: Visit, start_server: StartServer, tmp_path: Path
) -> None:
    server = await asyncio.to_thread(start_server, home=tmp_path)
    visitor = await visit(server)
    page = visitor.page
    await _ask(visitor, CHAT)
    await _expect_answered(page)
    visitor.expect_error("ERR_")
    visitor.expect_error("401")  # the bearer ended with the server; the session brings another
    await asyncio.to_thread(server.end)
    await expect(page.get_by_text("The server cannot be reached", exact=True)).to_be_visible(timeout=60_000)
    await _field(page).fill("Are you there?")
    await page.keyboard.press("Enter")
    await expect(_answers(page).last.get_by_role("alert")).to_be_visible()
    port = server.url.rpartition(":")[2]
    await asyncio.to_thread(start_server, "--port", port, home=tmp_path)
    await expect(page.get_by_text("The server cannot be reached", exact=True)).to_be_hidden(timeout=60_000)
    await _answers(page).last.get_by_role("button", name=re.compile("Answer again|Try again")).first.click()
    await _expect_answered(page, 2)


@asynccontextmanager
async def _short_session(own: Server) -> AsyncIterator[tuple[str, Callable[[], Awaitable[Any]]]]:
    """A token, and what ends it."""
    async with aiohttp.ClientSession(own.url, headers={"authorization": f"Bearer {own.token}"}) as session:
        made = await _post(session, "/api/2.0/token/create", {"comment": "ends soon"})
        which = {"token_id": made["token_info"]["token_id"]}
        yield made["token_value"], lambda: _post(session, "/api/2.0/token/delete", which)


async def _sign_in_again(visitor: Visitor, own: Server) -> None:
    again = visitor.page.get_by_role("dialog", name=_ENDED)
    await again.get_by_label("Access token", exact=True).fill(own.token, timeout=30_000)
    await again.get_by_role("button", name="Sign in").click()
    await expect(again).to_be_hidden()


async def _post(session: aiohttp.ClientSession, path: str, body: dict[str, str]) -> Any:
    async with session.post(path, json=body) as answer:
        assert answer.ok, await answer.text()
        return await answer.json()
