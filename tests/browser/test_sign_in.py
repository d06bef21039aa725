"""Who comes to the pages signs in with a token and sees what they may."""

import re

import pytest
from playwright.async_api import expect

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
    "Help": "help",
}


async def test_the_sign_in_page_asks_for_one_thing(visit: Visit, server: Server) -> None:
    visitor = await visit(server, token="")
    await expect(visitor.page.get_by_label("Access token", exact=True)).to_be_focused()
    await visitor.look("sign-in")


async def test_a_token_that_is_not_known_is_refused_with_the_servers_sentence(visit: Visit, server: Server) -> None:
    visitor = await visit(server, token="")
    visitor.expect_error("401")
    await visitor.page.get_by_label("Access token", exact=True).fill("dapi-nobodys")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("token")
    await expect(visitor.page.get_by_label("Access token", exact=True)).to_be_visible()


async def test_whoever_signed_in_stays_so_when_the_page_is_loaded_again_until_they_sign_out(
    visit: Visit, server: Server
) -> None:
    visitor = await visit(server)
    await visitor.heading("Serving endpoints")
    await visitor.page.reload()
    await visitor.heading("Serving endpoints")
    await visitor.page.get_by_role("button", name=re.compile("Signed in as")).click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    await expect(visitor.page.get_by_label("Access token", exact=True)).to_be_visible()
    await visitor.page.reload()
    await expect(visitor.page.get_by_label("Access token", exact=True)).to_be_visible()


@pytest.mark.parametrize("title", PAGES)
async def test_each_page_is_reached_from_the_sidebar_and_accessible(title: str, visit: Visit, server: Server) -> None:
    visitor = await visit(server)
    await visitor.go(title)
    await visitor.heading(title)
    await expect(visitor.page).to_have_url(re.compile(f"/ui/{PAGES[title]}"))
    await visitor.page.wait_for_load_state("networkidle")
    await visitor.look(PAGES[title])
