"""What is around every page: the menu, the palette, the way back from where nothing is, and words when the server is gone."""

import json
import os
import re
import subprocess

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit
from tests.conftest import Server

_PHONE = {"width": 360, "height": 740}


def test_tab_begins_with_a_way_past_the_menu_and_a_new_page_has_the_focus_on_its_heading(
    visit: Visit, server: Server
) -> None:
    page = visit(server, "models").page
    expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Help").click()
    expect(page.get_by_role("heading", level=1, name="Help")).to_be_focused()
    expect(page).to_have_title("Help · openfm")


def test_the_palette_goes_anywhere_by_keyboard_alone(visit: Visit, server: Server) -> None:
    visitor = visit(server)
    visitor.heading("Serving endpoints")
    visitor.page.keyboard.press("Control+k")
    box = visitor.page.get_by_role("combobox", name="Go to a page, an endpoint or a model")
    expect(box).to_be_focused()
    visitor.look("palette")
    box.fill("smollm2 endpoint")
    expect(visitor.page.get_by_role("option", name="openfm-smollm2-135m-instruct")).to_be_visible()
    visitor.page.keyboard.press("Enter")
    visitor.heading("openfm-smollm2-135m-instruct")
    visitor.page.keyboard.press("Control+k")
    box.fill("no such thing at all")
    expect(visitor.page.get_by_text("Nothing is called that.")).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(box).to_be_hidden()


def test_on_a_phone_the_menu_is_a_drawer_that_escape_closes(visit: Visit, server: Server) -> None:
    visitor = visit(server)
    page = visitor.page
    visitor.heading("Serving endpoints")
    page.set_viewport_size(_PHONE)  # type: ignore[arg-type]  # its TypedDict
    menu, drawer = page.get_by_role("button", name="Menu", exact=True), page.get_by_role("dialog", name="openfm")
    menu.click()
    expect(drawer.get_by_role("link", name="Help")).to_be_visible()
    assert not visitor.violations()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    drawer.get_by_role("link", name="Models").click()
    expect(drawer).to_be_hidden()
    expect(page.get_by_role("heading", level=1, name="Models")).to_be_focused()


def test_an_address_without_a_page_and_a_page_that_breaks_lead_back(visit: Visit, server: Server) -> None:
    visitor = visit(server, "nothing/here")
    visitor.heading("There is no such page")
    visitor.look("no-such-page")
    visitor.expect_error("TypeError")

    def broken(route: Route) -> None:
        route.fulfill(status=200, content_type="application/json", body=json.dumps({"registered_models": [{}]}))

    visitor.page.route("**/api/2.1/unity-catalog/models*", broken)
    visitor.go("Models")
    visitor.heading("This page failed")
    visitor.look("failed-page")
    visitor.page.unroute("**/api/2.1/unity-catalog/models*")
    visitor.page.get_by_role("link", name="Go to the serving endpoints").click()
    visitor.heading("Serving endpoints")


def test_a_server_that_is_gone_is_said_and_its_return_noticed(visit: Visit, server: Server) -> None:
    visitor = visit(server)
    visitor.heading("Serving endpoints")
    visitor.expect_error("ERR_INTERNET_DISCONNECTED")
    visitor.page.context.set_offline(True)
    visitor.page.clock.install()
    notice = visitor.page.get_by_text("The server cannot be reached", exact=True)
    visitor.page.clock.run_for(11_000)
    expect(notice).to_be_visible()
    visitor.page.context.set_offline(False)
    visitor.page.clock.run_for(3_000)
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("client", ["curl", "Python (openai)", "databricks-sdk", "mlflow", "LangChain"])
def test_what_help_shows_runs_as_it_is(client: str, visit: Visit, server: Server) -> None:
    visitor = visit(server)
    visitor.go("Help")
    page = visitor.page
    page.get_by_role("radiogroup", name="Language of question").get_by_text(client, exact=True).click()
    text = page.get_by_role("region", name=f"{client} question").inner_text()
    environ = {**os.environ, "OPENFM_TOKEN": server.token, "OPENFM_URL": server.url}
    interpreter = ["bash", "-ec"] if client == "curl" else [".venv/bin/python", "-c"]
    done = subprocess.run([*interpreter, text], env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.search("Paris|capital", done.stdout), done.stdout
