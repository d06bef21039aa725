"""Models, access and settings: what an admin does on these pages holds, and others are offered what they may do."""

import re
from pathlib import Path

import aiohttp
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor
from tests.conftest import Server

_LONG_MS = 30_000  # the server reads and judges a hundred megabytes


async def _token_of(visitor: Visitor) -> str:
    """Take the value that is shown this once, and close it."""
    value = await visitor.page.get_by_role("region", name="token", exact=True).inner_text()
    await visitor.page.get_by_role("button", name="Done").click()
    return value


async def _choose(page: Page, label: str, option: str) -> None:
    await page.get_by_role("combobox", name=label, exact=True).click()
    await page.get_by_role("option", name=option, exact=True).click()


async def test_an_import_that_failed_is_tried_again(visit: Visit, server: Server) -> None:
    name = "main.default.not_there"
    async with aiohttp.ClientSession(server.url, headers={"authorization": f"Bearer {server.token}"}) as session:
        body = {"source": "hf://nobody/has-no-such-model", "comment": ""}
        async with session.post(f"/api/2.0/openfm/models/{name}/register", json=body) as answer:
            assert answer.ok, await answer.text()
    visitor = await visit(server, f"models/{name}")
    page = visitor.page
    again = page.get_by_role("button", name="Try again")
    await expect(again).to_be_visible(timeout=_LONG_MS)
    await visitor.look("model-failed")
    await again.click()
    await expect(page.get_by_role("article", name="Version 2")).to_be_visible()
    await expect(page.get_by_role("article", name="Version 1", exact=True)).to_have_count(0)


async def test_a_file_of_ones_own_becomes_a_model_with_an_alias(
    visit: Visit, server: Server, chat_model_file: Path
) -> None:
    visitor = await visit(server, "models")
    page = visitor.page
    await page.get_by_role("button", name="Import a model").click()
    await page.get_by_text("This computer", exact=True).click()
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Choose files").click()
    await (await chooser.value).set_files(chat_model_file)
    await expect(page.get_by_label("Name", exact=True)).to_have_value("main.default.smollm2_135m_instruct_q4_1")
    await page.get_by_label("Name", exact=True).fill("main.default.own_chat")
    await visitor.look("model-import")
    await page.get_by_role("dialog").get_by_role("button", name="Import").click()
    card = page.get_by_role("article", name="Version 1")
    await expect(card.get_by_text("Ready", exact=True)).to_be_visible(timeout=_LONG_MS)
    await expect(card.get_by_text("134.5M")).to_be_visible()
    await card.get_by_role("button", name="Actions for version 1").click()
    await page.get_by_role("menuitem", name="Add an alias").click()
    await page.get_by_label("Alias", exact=True).fill("champion")
    await page.keyboard.press("Enter")
    await expect(card.get_by_text("champion")).to_be_visible()
    await visitor.look("model")
    await card.get_by_role("button", name="Quick").click()
    await expect(card.get_by_role("progressbar", name="Calibration of version 1")).to_be_visible()
    await card.get_by_role("button", name="End the calibration").click()
    await expect(card.get_by_role("button", name="Calibrate", exact=True)).to_be_visible()
    await page.get_by_role("tab", name="Permissions").click()
    await expect(page.get_by_text("Nobody else may use it")).to_be_visible()
    await _choose(page, "Let somebody use it", "Everybody")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("checkbox", name="Everybody: can use")).to_be_checked()
    await expect(page.get_by_role("checkbox", name="Everybody: can manage")).not_to_be_checked()
    await visitor.look("model-permissions")
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("main.default.own_chat")
    await page.keyboard.press("Enter")
    await visitor.heading("Models")
    await expect(page.get_by_role("link", name="main.default.own_chat")).to_be_hidden()


async def test_a_source_that_is_none_is_refused_with_the_servers_sentence(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "models?tab=catalogue")
    await expect(visitor.page.get_by_text("DBRX Instruct")).to_be_visible()
    await visitor.look("catalogue")
    visitor.expect_error("400")
    await visitor.page.get_by_role("button", name="Import a model").click()
    await visitor.page.get_by_label("Source").fill("ftp://nowhere/thing")
    await visitor.page.get_by_role("button", name="Import", exact=True).click()
    await expect(visitor.page.get_by_role("alert")).to_contain_text("hf://")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("Request id")


async def test_a_colleague_gets_a_token_and_is_offered_only_what_they_may_do(visit: Visit, server: Server) -> None:
    admin = await visit(server, "people")
    await admin.page.get_by_role("button", name="Add a user").click()
    await admin.page.get_by_label("User name").fill("beth@example.com")
    await admin.page.keyboard.press("Enter")
    await admin.page.get_by_role("textbox", name="Comment").fill("laptop")
    await admin.page.get_by_role("button", name="Create", exact=True).click()
    await admin.look("token-shown-once")
    token = await _token_of(admin)

    beth = await visit(server, token=token)
    menu = beth.page.get_by_role("navigation", name="Main")
    await expect(menu.get_by_role("link")).to_have_text(
        ["Serving endpoints", "Playground", "Models", "Usage", "Access tokens", "Help"]
    )
    await beth.open("settings")
    await expect(beth.page.get_by_text("Only admins change settings")).to_be_visible()
    await beth.open("people")
    await expect(beth.page.get_by_text("Only admins change users and groups")).to_be_visible()
    await beth.look("not-for-you")
    await beth.go("Models")
    await beth.page.get_by_role("link", name="system.ai.smollm2_135m_instruct").click()
    await expect(beth.page.get_by_text("Version 1", exact=True)).to_be_visible()
    await expect(beth.page.get_by_text("Throughput on this machine")).to_be_visible()
    for word in ("Calibrate", "Delete", "Import another version"):
        await expect(beth.page.get_by_role("button", name=word, exact=True)).to_be_hidden()
    await beth.go("Access tokens")
    await expect(beth.page.get_by_role("cell", name="laptop", exact=True)).to_be_visible()
    await beth.page.get_by_role("button", name="Create a token").click()
    await expect(beth.page.get_by_role("combobox", name="Owner")).to_be_hidden()

    beth.expect_error("401")
    await admin.go("Access tokens")
    await admin.page.get_by_role("tab", name=re.compile("Everybody")).click()
    row = admin.page.get_by_role("row").filter(has_text="beth@example.com")
    await row.get_by_role("button", name="Revoke laptop").click()
    await admin.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row).to_be_hidden()
    await beth.page.reload()
    await expect(beth.page.get_by_label("Access token", exact=True)).to_be_visible()


async def test_a_token_that_ends_soon_says_so_and_its_comment_can_be_changed(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "tokens")
    page = visitor.page
    await page.get_by_role("button", name="Create a token").click()
    await page.get_by_role("textbox", name="Comment").fill("nightly")
    await _choose(page, "Lifetime", "7 days")
    await page.get_by_role("button", name="Create", exact=True).click()
    await _token_of(visitor)
    row = page.get_by_role("row").filter(has_text="nightly")
    await expect(row).to_contain_text(re.compile("Ends in 7 days"))
    await expect(row).to_contain_text("Never")
    await row.get_by_role("button", name="Edit the comment of nightly").click()
    await page.get_by_role("dialog").get_by_role("textbox", name="Comment").fill("weekly")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("cell", name="weekly", exact=True)).to_be_visible()
    await visitor.look("tokens-some")


async def test_groups_have_members_and_programs_secrets(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "people?tab=Groups")
    page = visitor.page
    await page.get_by_role("button", name="Add a group").click()
    await page.get_by_label("Name", exact=True).fill("designers")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Members of designers").click()
    await _choose(page, "Add", "admin")
    await expect(page.get_by_role("button", name="Remove admin")).to_be_visible()
    await visitor.look("members")
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Service principals").click()
    await page.get_by_role("button", name="Add a service principal").click()
    await page.get_by_label("Name", exact=True).fill("nightly-job")
    await page.keyboard.press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Actions for nightly-job").click()
    await page.get_by_role("menuitem", name="Client secrets").click()
    await page.get_by_role("button", name="Create a secret").click()
    await expect(page.get_by_role("region", name="client secret")).to_be_visible()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("button", name=re.compile("Delete the secret made"))).to_be_visible()
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="Actions for nightly-job").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("nightly-job")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No service principals yet")).to_be_visible()


async def test_prices_and_limits_are_set_and_bad_ones_not_sent(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "settings")
    page = visitor.page
    await page.get_by_role("button", name="Set a price").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("nobody-*")
    await dialog.get_by_label("Input, a million tokens", exact=True).fill("free")
    await expect(dialog.get_by_text("at most six decimals")).to_be_visible()
    await expect(dialog.get_by_role("button", name="Set the price")).to_be_disabled()
    await visitor.look("price-dialog")
    await dialog.get_by_label("Input, a million tokens", exact=True).fill("0.25")
    await dialog.get_by_role("button", name="Set the price").click()
    row = page.get_by_role("row").filter(has_text="nobody-*")
    await expect(row).to_contain_text("In effect")
    await expect(row).to_contain_text("0.25 USD")
    await visitor.look("prices-some")
    await page.get_by_role("tab", name="Limits").click()
    await page.get_by_role("button", name="Set a limit").click()
    await _choose(page, "For", "Each user, or one")
    await page.get_by_label("At most").fill("123456")
    await page.get_by_role("button", name="Set the limit").click()
    row = page.get_by_role("row").filter(has_text="123,456 a minute")
    await expect(row).to_contain_text("Each user")
    await visitor.look("limits-some")
    await row.get_by_role("button", name=re.compile("Remove the limit")).click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(row).to_be_hidden()
    for tab in ("Retention", "Platform"):
        await page.get_by_role("tab", name=tab).click()
        await page.wait_for_load_state("networkidle")
        await visitor.look(f"settings-{tab.lower()}")


async def test_a_share_is_set_for_somebody_and_removed_again(visit: Visit, server: Server) -> None:
    bearer, person = {"Authorization": f"Bearer {server.token}"}, {"userName": "shares@example.com"}
    async with (
        aiohttp.ClientSession(server.url, headers=bearer) as session,
        session.post("/api/2.0/preview/scim/v2/Users", json=person) as made,
    ):
        assert made.ok, await made.text()
    visitor = await visit(server, "settings?tab=shares")
    page = visitor.page
    await page.get_by_role("button", name="Set a share").click()
    await _choose(page, "Name", "shares@example.com")
    await page.get_by_label("Share", exact=True).fill("3")
    await visitor.look("share-dialog")
    await page.get_by_role("button", name="Set the share").click()
    row = page.get_by_role("row").filter(has_text="shares@example.com")
    await expect(row.get_by_role("cell").nth(1)).to_have_text("3")
    await visitor.look("shares")
    await row.get_by_role("button", name="Remove the share").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(row).to_be_hidden()
