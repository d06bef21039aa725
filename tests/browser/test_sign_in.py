"""Who comes to the pages signs in with a token and sees what they may."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.conftest import Server

PAGES = {
    "Serving endpoints": "endpoints",
    "Playground": "playground",
    "Models": "models",
    "Usage": "usage",
    "Access tokens": "tokens",
    "Users and groups": "people",
    "Settings": "settings",
}


def test_the_sign_in_page_asks_for_one_thing(visit: Visit, server: Server) -> None:
    visitor = visit(server, token="")
    expect(visitor.page.get_by_label("Access token", exact=True)).to_be_focused()
    visitor.look("sign-in")


def test_a_token_that_is_not_known_is_refused_with_the_servers_sentence(visit: Visit, server: Server) -> None:
    visitor = visit(server, token="")
    visitor.expect_error("401")
    visitor.page.get_by_label("Access token", exact=True).fill("dapi-nobodys")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("alert")).to_contain_text("token")
    expect(visitor.page.get_by_label("Access token", exact=True)).to_be_visible()


def test_whoever_signed_in_stays_so_when_the_page_is_loaded_again_until_they_sign_out(
    visit: Visit, server: Server
) -> None:
    visitor = visit(server)
    visitor.heading("Serving endpoints")
    visitor.page.reload()
    visitor.heading("Serving endpoints")
    visitor.page.get_by_role("button", name=re.compile("Signed in as")).click()
    visitor.page.get_by_role("menuitem", name="Sign out").click()
    expect(visitor.page.get_by_label("Access token", exact=True)).to_be_visible()
    visitor.page.reload()
    expect(visitor.page.get_by_label("Access token", exact=True)).to_be_visible()


@pytest.mark.parametrize("title", PAGES)
def test_each_page_is_reached_from_the_sidebar_and_accessible(title: str, visit: Visit, server: Server) -> None:
    visitor = visit(server)
    visitor.go(title)
    visitor.heading(title)
    expect(visitor.page).to_have_url(re.compile(f"/ui/{PAGES[title]}"))
    visitor.page.wait_for_load_state("networkidle")
    visitor.look(PAGES[title])
