"""Usage, cost and budgets as people see them, with a ledger that has some hundred requests."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from openfm.store.database import Database
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor
from tests.conftest import Server, StartServer
from tests.integration.usage_rows import NOVEMBER_US, drawn_rows, insert_rows

_ROWS = 300
_TIMES = ("received_us", "admitted_us", "first_token_us", "finished_us")
_DAYS_AGO_US = 4 * 86_400_000_000


def _recent() -> Iterator[dict[str, Any]]:
    later = time.time_ns() // 1000 - _DAYS_AGO_US - NOVEMBER_US
    for row in drawn_rows(_ROWS, seed=7):
        yield row | {name: row[name] + later for name in _TIMES}


@pytest.fixture(scope="module")
def used(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server whose ledger has requests of the last four days."""
    home: Path = tmp_path_factory.mktemp("used")
    database = Database(f"sqlite:///{home / 'openfm.db'}")
    database.migrate()
    insert_rows(database, list(_recent()))
    database.close()
    return start_server("--alias-missing", home=home)


async def _token_of_somebody_new(server: Server, name: str) -> str:
    bearer = {"Authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession(server.url, headers=bearer, raise_for_status=True) as session:
        (await session.post("/api/2.0/preview/scim/v2/Users", json={"userName": name})).release()
        behalf = "/api/2.0/token-management/on-behalf-of/tokens"
        made = await (await session.post(behalf, json={"application_id": name, "comment": ""})).json()
        return str(made["token_value"])


async def _at(visit: Visit, server: Server, tab: str) -> Visitor:
    visitor = await visit(server)
    await visitor.go("Usage")
    await visitor.heading("Usage")
    await visitor.page.get_by_role("tab", name=tab, exact=True).click()
    return visitor


async def test_the_overview_counts_each_request_once_and_follows_its_filters(visit: Visit, used: Server) -> None:
    visitor = await _at(visit, used, "Overview")
    page = visitor.page
    cards = page.locator("dl.tiles")
    await expect(cards).to_contain_text(f"Requests{_ROWS}")
    await expect(page.get_by_role("region", name="Requests", exact=True)).to_be_visible()
    await expect(page.get_by_role("region", name="Who used what").get_by_role("row")).to_have_count(3)
    await page.wait_for_load_state("networkidle")
    await visitor.look("usage")
    await page.get_by_role("combobox", name="Group by").click()
    await page.get_by_role("option", name="Tag team").click()
    await expect(page.get_by_role("region", name="Who used what").get_by_role("row")).to_have_count(4)
    await page.get_by_role("combobox", name="User", exact=True).click()
    await page.get_by_role("option", name="user1@example.org").click()
    await expect(cards).not_to_contain_text(f"Requests{_ROWS}")
    await expect(page).to_have_url(re.compile("user=user1"))
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="CSV", exact=True).click()
    text = (await (await saved.value).path()).read_text(encoding="utf-8")
    assert text.startswith("tag:team,currency,requests,")


async def test_each_chart_is_a_table_too(visit: Visit, used: Server) -> None:
    page = (await _at(visit, used, "Overview")).page
    chart = page.get_by_role("region", name="Cost over time", exact=True)
    await chart.get_by_role("switch", name="As a table").press("Space")
    await expect(chart.get_by_role("columnheader", name="USD")).to_be_visible()


async def test_requests_come_page_by_page_with_everything_known_of_each(visit: Visit, used: Server) -> None:
    visitor = await _at(visit, used, "Requests")
    page = visitor.page
    table = page.get_by_role("region", name="Requests", exact=True)
    await expect(table.get_by_role("row")).to_have_count(51)
    await visitor.look("usage-requests")
    await page.get_by_role("button", name="Next", exact=True).click()
    await expect(page.get_by_text("Rows 51–100")).to_be_visible()  # noqa: RUF001  # the page's dash
    await table.get_by_role("button", name=re.compile("Details")).first.click()
    details = page.get_by_role("dialog", name="Request")
    await expect(details).to_contain_text("Request id")
    await expect(details).to_contain_text("team=")
    await expect(details).not_to_contain_text("_")
    await visitor.look("usage-request")


async def test_a_budget_is_set_shows_what_is_spent_and_is_deleted(visit: Visit, used: Server) -> None:
    visitor = await _at(visit, used, "Budgets")
    page = visitor.page
    await page.get_by_role("button", name="Set a budget").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Set the budget").click()
    await expect(dialog).to_contain_text("Give it a name.")
    await dialog.get_by_label("Name", exact=True).fill("trial")
    await dialog.get_by_label("Amount").fill("1000")
    await visitor.look("usage-budget")
    await dialog.get_by_role("combobox", name="For", exact=True).click()
    await page.get_by_role("option", name="A user", exact=True).click()
    await dialog.get_by_role("button", name="Set the budget").click()
    await expect(dialog).to_contain_text("Say for which.")
    await dialog.get_by_role("combobox", name="Name", exact=True).click()
    await page.get_by_role("option").first.click()
    await dialog.get_by_role("combobox", name="For", exact=True).click()
    await page.get_by_role("option", name="Everybody", exact=True).click()
    await dialog.get_by_role("button", name="Set the budget").click()
    card = page.get_by_role("list", name="Budgets").get_by_role("listitem")
    await expect(card).to_contain_text("Then requests are refused. Alerts at 80 %, 100 %.")
    await expect(card.get_by_role("progressbar")).to_be_visible()
    await page.get_by_role("button", name="Change trial").click()
    await dialog.get_by_label("Amount").fill("2000")
    await dialog.get_by_role("button", name="Change the budget").click()
    await expect(card).to_contain_text("2,000 USD")
    await visitor.look("usage-budgets")
    await page.get_by_role("button", name="Delete trial").click()
    await dialog.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_text("No budgets")).to_be_visible()


async def test_the_invoice_of_a_month_is_read_and_kept(visit: Visit, used: Server) -> None:
    visitor = await _at(visit, used, "Invoice")
    page = visitor.page
    await expect(page.get_by_role("region", name="Invoice")).to_contain_text("example.org")
    await expect(page.get_by_text(re.compile(r"Total .* USD"))).to_be_visible()
    await visitor.look("usage-invoice")
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="CSV").click()
    assert re.fullmatch(r"invoice-\d{4}-\d\d\.csv", (await saved.value).suggested_filename)


async def test_every_example_of_a_question_is_answered_and_a_wrong_one_refused_in_words(
    visit: Visit, used: Server
) -> None:
    visitor = await _at(visit, used, "SQL")
    page = visitor.page
    examples = page.get_by_role("combobox", name="Example")
    await examples.click()
    names = await page.get_by_role("option").all_inner_texts()
    await page.keyboard.press("Escape")
    answer = page.get_by_role("region", name="Answer").or_(page.get_by_text("No rows"))
    for name in names:
        await examples.click()
        await page.get_by_role("option", name=name, exact=True).click()
        await page.get_by_role("button", name="Ask").click()
        await expect(answer).to_be_visible()
    await visitor.look("usage-sql")
    visitor.expect_error("400")
    await page.get_by_label("Question").fill("DROP TABLE ledger")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("alert")).to_contain_text("SELECT")


async def test_who_is_no_admin_sees_what_binds_them_and_sets_nothing(visit: Visit, used: Server) -> None:
    visitor = await visit(used, token=await _token_of_somebody_new(used, "ann@example.org"))
    await visitor.go("Usage")
    await expect(visitor.page.get_by_text("Ask an endpoint something in the Playground")).to_be_visible()
    await visitor.page.get_by_role("tab", name="Budgets").click()
    await expect(visitor.page.get_by_text("No amount of money binds you")).to_be_visible()
    await expect(visitor.page.get_by_role("button", name="Set a budget")).to_have_count(0)


async def test_what_a_request_cost_is_given_back_with_a_reason(visit: Visit, used: Server) -> None:
    visitor = await _at(visit, used, "Requests")
    page = visitor.page
    cost = re.compile(r"0\.\d+ ")
    charged = page.get_by_role("region", name="Requests").get_by_role("row").filter(has_text=cost).first
    await charged.get_by_role("button", name="Details of the request").click()
    await page.get_by_role("button", name="Correct the cost").click()
    dialog = page.get_by_role("dialog", name="Correct the cost")
    await expect(dialog.get_by_role("button", name="Correct", exact=True)).to_be_disabled()
    await dialog.get_by_label("Reason").fill("The answer was cut by an outage.")
    await visitor.look("correction-dialog")
    await dialog.get_by_role("button", name="Correct", exact=True).click()
    await expect(page.get_by_text("The correction is on the invoice.")).to_be_visible()
    await page.get_by_role("dialog", name="Request").get_by_role("button", name="Close").click()
    await page.get_by_role("tab", name="Invoice").click()
    made = page.get_by_role("region", name="Corrections").get_by_role("row")
    await expect(made.nth(1)).to_contain_text("The answer was cut by an outage.")
    await expect(made.nth(1)).to_contain_text("-0.")
    await visitor.look("invoice-corrected")
