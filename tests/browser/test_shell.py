"""What is around every page: the menu, the palette, the way back from nowhere, and words when the server is gone."""

import asyncio
import json
import os
import re
import subprocess

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import ROOT
from tests.conftest import Server
from tools.environments import ensure, named

_UNTIL_LOADED = """(pages) => new Promise((resolve) => {
    const isPage = ({ name }) => name.includes('/assets/page-');
    const look = () => performance.getEntriesByType('resource').filter(isPage).length < pages || resolve();
    setInterval(look, 100);
})"""
_PHONE = {"width": 360, "height": 740}


async def test_tab_begins_with_a_way_past_the_menu_and_a_new_page_has_the_focus_on_its_heading(
    visit: Visit, server: Server
) -> None:
    visitor = await visit(server, "models")
    page = visitor.page
    await expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Help").click()
    await expect(page.get_by_role("heading", level=1, name="Help")).to_be_focused()
    await expect(page).to_have_title("Help · openfm")


async def test_the_palette_goes_anywhere_by_keyboard_alone(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "tokens")
    await visitor.heading("Access tokens")
    await visitor.page.keyboard.press("Control+k")
    box = visitor.page.get_by_role("combobox", name="Go to a page, an endpoint or a model")
    await expect(box).to_be_focused()
    await visitor.look("palette")
    await box.fill("smollm2 endpoint")
    await expect(visitor.page.get_by_role("option", name="openfm-smollm2-135m-instruct")).to_be_visible()
    await visitor.page.keyboard.press("Enter")
    await visitor.heading("openfm-smollm2-135m-instruct")
    await visitor.page.keyboard.press("Control+k")
    await box.fill("no such thing at all")
    await expect(visitor.page.get_by_text("Nothing is called that.")).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(box).to_be_hidden()


async def test_on_a_phone_the_menu_is_a_drawer_that_escape_closes(visit: Visit, server: Server) -> None:
    visitor = await visit(server)
    page = visitor.page
    await visitor.heading("Serving endpoints")
    await page.set_viewport_size(_PHONE)  # type: ignore[arg-type]  # its TypedDict
    menu, drawer = page.get_by_role("button", name="Menu", exact=True), page.get_by_role("dialog", name="openfm")
    await menu.click()
    await expect(drawer.get_by_role("link", name="Help")).to_be_visible()
    assert not await visitor.violations()
    await page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()
    await expect(menu).to_be_focused()
    await menu.click()
    await drawer.get_by_role("link", name="Models").click()
    await expect(drawer).to_be_hidden()
    await expect(page.get_by_role("heading", level=1, name="Models")).to_be_focused()


async def test_an_address_without_a_page_and_a_page_that_breaks_lead_back(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "nothing/here")
    await visitor.heading("There is no such page")
    await visitor.look("no-such-page")
    visitor.expect_error("RangeError")  # a model without a date

    async def broken(route: Route) -> None:
        await route.fulfill(status=200, content_type="application/json", body=json.dumps({"registered_models": [{}]}))

    await visitor.page.route("**/api/2.1/unity-catalog/models*", broken)
    await visitor.go("Models")
    await visitor.heading("This page failed")
    await visitor.look("failed-page")
    await visitor.page.unroute("**/api/2.1/unity-catalog/models*")
    await visitor.page.get_by_role("link", name="Go to the serving endpoints").click()
    await visitor.heading("Serving endpoints")


async def test_a_server_that_is_gone_is_said_and_its_return_noticed(visit: Visit, server: Server) -> None:
    visitor = await visit(server)
    await visitor.heading("Serving endpoints")
    await visitor.page.clock.install()
    await visitor.page.reload()
    await visitor.heading("Serving endpoints")
    visitor.expect_error("ERR_INTERNET_DISCONNECTED")
    await visitor.page.context.set_offline(True)
    notice = visitor.page.get_by_text("The server cannot be reached", exact=True)
    await visitor.page.clock.run_for(11_000)
    await expect(notice).to_be_visible()
    await visitor.page.context.set_offline(False)
    await visitor.page.clock.run_for(3_000)
    await expect(notice).to_be_hidden()


async def test_a_page_whose_code_cannot_be_had_says_so_in_its_place_and_comes_by_itself(
    visit: Visit, server: Server
) -> None:
    visitor = await visit(server, token="")
    page = visitor.page
    visitor.expect_error("ERR_FAILED")
    for gone in ("**/ui/assets/**", "**/health/live"):
        await page.route(gone, lambda route: route.abort())
    await visitor.sign_in(server.token)
    await visitor.heading("This page could not be loaded")
    await expect(page.get_by_role("main")).to_contain_text("It comes as soon as the server answers")
    await visitor.look("page-not-loaded")
    await page.unroute_all()
    await visitor.heading("Serving endpoints")


async def test_pages_that_nobody_opened_yet_open_without_the_server(visit: Visit, server: Server) -> None:
    visitor = await visit(server, token="")
    page = visitor.page
    await visitor.sign_in(server.token)
    pages = len(list((ROOT / "web" / "dist" / "assets").glob("page-*.js")))
    await page.evaluate(_UNTIL_LOADED, pages)
    visitor.expect_error("ERR_INTERNET_DISCONNECTED")
    await page.context.set_offline(True)
    await visitor.go("Help")
    await visitor.heading("Help")
    await visitor.go("Playground")
    await visitor.heading("Playground")


async def test_a_session_that_ends_in_the_middle_of_work_loses_nothing(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "tokens")
    page = visitor.page
    await page.get_by_role("button", name="Create a token").click()
    await page.get_by_role("textbox", name="Comment").fill("a long thought")

    async def ended(route: Route) -> None:
        if route.request.method == "GET":
            await route.fulfill(status=200, content_type="application/json", body=json.dumps({"signed_in": False}))
        else:
            await route.continue_()

    async def refused(route: Route) -> None:
        await route.fulfill(status=401, content_type="application/json", body=json.dumps({"message": "No."}))

    visitor.expect_error("401")
    await page.route("**/ui/session", ended)
    await page.route("**/api/2.0/token/create", refused)
    await page.get_by_role("button", name="Create", exact=True).click()
    again = page.get_by_role("dialog", name="Your session has ended")
    await expect(again).to_be_visible()
    await visitor.look("session-ended")
    await page.unroute("**/api/2.0/token/create", refused)
    await again.get_by_label("Access token", exact=True).fill(server.token)
    await again.get_by_role("button", name="Sign in").click()  # by mouse: nothing may lie over it
    await expect(again).to_be_hidden()
    await expect(page.get_by_role("textbox", name="Comment")).to_have_value("a long thought")
    await page.get_by_role("button", name="Create", exact=True).click()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("cell", name="a long thought", exact=True)).to_be_visible()


@pytest.mark.parametrize("client", ["curl", "Python (openai)", "databricks-sdk", "mlflow", "LangChain"])
async def test_what_help_shows_runs_as_it_is(client: str, visit: Visit, server: Server) -> None:
    visitor = await visit(server)
    await visitor.go("Help")
    page = visitor.page
    await page.get_by_role("radiogroup", name="Language of question").get_by_text(client, exact=True).click()
    text = await page.get_by_role("region", name=f"{client} question").inner_text()
    done = await asyncio.to_thread(_run, client, text, {"OPENFM_TOKEN": server.token, "OPENFM_URL": server.url})
    assert done.returncode == 0, done.stderr
    assert re.search("Paris|capital", done.stdout), done.stdout


def _run(client: str, text: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    interpreter = ["bash", "-ec"] if client == "curl" else [str(ensure(named("clients-current"))), "-Wignore", "-c"]
    known = {"PATH": os.environ["PATH"], "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    return subprocess.run(
        [*interpreter, text], env=known | environ, capture_output=True, text=True, check=False, timeout=100
    )
