"""The serving endpoints' pages: the list, the form, and every tab of an endpoint."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.conftest import CHAT, Server, StartServer

_ENDPOINTS = "/api/2.0/serving-endpoints"
_MODEL = "system.ai.smollm2_135m_instruct"
_TABS = ["Overview", "Metrics", "Query", "Usage", "Requests", "Events", "Logs", "AI gateway", "Permissions"]
_READY_MS = 120_000
_SAMPLED_MS = 60_000


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Server:
    """A server with names of Databricks' models that others stand in for, and two requests in the ledger."""
    server = start_server("--alias-missing")
    asyncio.run(_ask_twice(server))
    return server


async def _ask_twice(server: Server) -> None:
    async with aiohttp.ClientSession(server.url, headers={"authorization": f"Bearer {server.token}"}) as session:
        asked = [{"role": "user", "content": "Hi"}]
        for body in ({"messages": asked, "max_tokens": 8}, {"messages": asked, "temperature": 9}):
            async with session.post(f"/serving-endpoints/{CHAT}/invocations", json=body) as answer:
                await answer.read()


async def _ask_once(server: Server, endpoint: str) -> None:
    async with aiohttp.ClientSession(server.url, headers={"authorization": f"Bearer {server.token}"}) as session:
        body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
        async with session.post(f"/serving-endpoints/{endpoint}/invocations", json=body) as answer:
            assert answer.ok, await answer.text()


async def _colleague(server: Server) -> str:
    """An access token of somebody who is no admin."""
    async with aiohttp.ClientSession(server.url, headers={"authorization": f"Bearer {server.token}"}) as session:
        async with session.post("/api/2.0/preview/scim/v2/Users", json={"userName": "bo@example.org"}) as made:
            assert made.ok, await made.text()
        body = {"application_id": "bo@example.org", "comment": "pages"}
        async with session.post("/api/2.0/token-management/on-behalf-of/tokens", json=body) as answer:
            token: str = (await answer.json())["token_value"]
    return token


async def _choose(page: Page, label: str, option: str | re.Pattern[str]) -> None:
    await page.get_by_role("combobox", name=label).click()
    await page.get_by_role("option", name=option).first.click()


async def test_a_model_that_answers_to_many_names_has_one_card(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    page = visitor.page
    card = page.get_by_role("article", name=CHAT)
    await expect(page.get_by_role("article")).to_have_count(2)
    await card.get_by_text(re.compile(r"Answers to \d+ more names")).click()
    await expect(card.get_by_role("link", name="databricks-dbrx-instruct")).to_be_visible()
    await visitor.look("endpoints-names")


async def test_the_list_is_filtered_by_what_is_in_the_address(visit: Visit, own: Server) -> None:
    visitor = await visit(own, "endpoints?q=minilm")
    page = visitor.page
    rows = page.get_by_role("region", name="Serving endpoints").get_by_role("row")
    await expect(rows.nth(1)).to_contain_text("minilm")
    await expect(page.get_by_role("article")).to_have_count(0)
    await _choose(page, "Task", "Chat")
    await expect(page.get_by_text("No endpoint is like that")).to_be_visible()
    await page.get_by_role("button", name="Clear the filters").click()
    await expect(page.get_by_role("article", name=CHAT)).to_be_visible()
    await expect(page).to_have_url(re.compile("/ui/endpoints$"))


async def test_columns_and_rows_are_chosen_and_stay_so(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    page = visitor.page
    table = page.get_by_role("region", name="Serving endpoints")
    await expect(table.get_by_role("columnheader", name="Task")).to_be_visible()
    await page.get_by_role("button", name="Columns and rows").click()
    await visitor.look("endpoints-columns")
    await page.get_by_role("checkbox", name="Task").click()
    await _choose(page, "Rows on a page", "25")
    await expect(table.get_by_role("columnheader", name="Task")).to_have_count(0)
    await page.reload()
    await expect(table.get_by_role("columnheader", name="State")).to_be_visible()
    await expect(table.get_by_role("columnheader", name="Task")).to_have_count(0)


async def test_the_list_shows_what_came_in_the_last_hour(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    row = visitor.page.get_by_role("region", name="Serving endpoints").get_by_role("row", name=CHAT)
    await expect(row.get_by_role("img", name="1 request in the last hour, 0 % errors")).to_be_visible()


async def test_the_engines_last_hour_is_drawn(visit: Visit, own: Server) -> None:
    visitor = await visit(own, f"endpoints/{CHAT}?tab=metrics")
    hour = visitor.page.get_by_role("region", name="Engines in the last hour")
    for title in ("Requests waiting", "KV cache in use", "CPU of the machine", "Replicas"):
        await expect(hour.get_by_role("region", name=title, exact=True)).to_be_visible(timeout=_SAMPLED_MS)
    replicas = hour.get_by_role("region", name="Replicas", exact=True)
    await replicas.get_by_role("switch", name="As a table").press("Space")
    await expect(replicas.get_by_role("cell", name="1", exact=True).first).to_be_visible()


async def test_the_chosen_tab_is_in_sight_on_a_phone(visit: Visit, own: Server) -> None:
    visitor = await visit(own)
    await visitor.page.set_viewport_size({"width": 360, "height": 740})
    await visitor.open(f"endpoints/{CHAT}?tab=permissions")
    await expect(visitor.page.get_by_role("tab", name="Permissions")).to_be_in_viewport(ratio=1)


async def test_who_may_not_manage_reads_what_is_set(visit: Visit, own: Server) -> None:
    visitor = await visit(own, f"endpoints/{CHAT}?tab=gateway", token=await _colleague(own))
    await expect(visitor.page.get_by_text("The text of requests and answers is not kept.")).to_be_visible()
    await expect(visitor.page.get_by_role("switch")).to_have_count(0)
    await visitor.look("endpoint-ai-gateway-query")


@pytest.mark.parametrize("tab", _TABS)
async def test_each_tab_of_an_endpoint_is_accessible(tab: str, visit: Visit, own: Server) -> None:
    visitor = await visit(own, f"endpoints/{CHAT}")
    page = visitor.page
    await page.get_by_role("tab", name=tab, exact=True).click()
    await expect(page.get_by_role("tabpanel", name=tab, exact=True)).to_be_visible()
    await page.wait_for_load_state("networkidle")
    if tab == "Metrics":
        await expect(page.get_by_text("Requests per minute").first).to_be_visible()
    await visitor.look(f"endpoint-{tab.lower().replace(' ', '-')}")


async def test_a_time_that_is_marked_in_one_chart_is_shown_in_all(visit: Visit, own: Server) -> None:
    visitor = await visit(own, f"endpoints/{CHAT}?tab=metrics")
    page = visitor.page
    chart = page.get_by_role("region", name="Tokens per second").locator(".recharts-surface").first
    await chart.scroll_into_view_if_needed()
    box = await chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + 0.6 * box["width"], middle)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 0.8 * box["width"], middle, steps=4)
    await page.mouse.move(box["x"] + 0.97 * box["width"], middle, steps=4)
    await page.mouse.up()
    start, end = page.get_by_label("From", exact=True), page.get_by_label("To", exact=True)
    await expect(page.get_by_role("radio", name="Custom")).to_be_checked()
    assert await start.input_value() < await end.input_value()
    await visitor.look("endpoint-metrics-custom")
    await end.fill("2026-01-01T00:00:00")
    await expect(page.get_by_text("Choose a beginning before the end")).to_be_visible()
    await start.fill("2025-12-31T00:00:00")
    await expect(page.get_by_text("No requests in this time")).to_be_visible()
    await page.get_by_role("button", name="Refresh").click()
    await page.get_by_role("radiogroup", name="Time range").get_by_text("15 min").click()
    await expect(page.get_by_role("region", name="Tokens per second")).to_be_visible()


async def test_an_endpoint_s_openapi_document_is_a_file(visit: Visit, own: Server) -> None:
    visitor = await visit(own, f"endpoints/{CHAT}?tab=query")
    async with visitor.page.expect_download() as downloading:
        await visitor.page.get_by_role("button", name="OpenAPI document").click()
    document = json.loads(await asyncio.to_thread((await (await downloading.value).path()).read_text))
    assert "/invocations" in document["paths"]


async def _fill_in(page: Page, name: str) -> None:
    """The form for provisioned throughput, with a limit and an inference table."""
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("combobox", name="Entity").fill(_MODEL)
    await page.get_by_role("option", name=_MODEL).click()
    await page.get_by_role("radiogroup", name="Kind of served entity 1").get_by_text("Provisioned throughput").click()
    await _choose(page, "Up to", re.compile("tokens"))
    least = page.get_by_role("combobox", name="Not below")
    await expect(least).not_to_have_value("0 tokens/s")
    await page.get_by_role("switch", name="Scale to zero").click()
    await expect(least).to_have_value("0 tokens/s")
    await page.get_by_role("switch", name="Scale to zero").click()
    await expect(least).not_to_have_value("0 tokens/s")
    await expect(page.get_by_role("region", name="Memory")).to_contain_text("are free.")
    await expect(page.get_by_role("note", name="What it means")).to_contain_text("Not measured here")
    await page.get_by_role("button", name="Add a limit").click()
    await page.get_by_label("At most").fill("77")
    await page.get_by_role("switch", name="Inference table").click()


async def _describe(page: Page) -> None:
    """Say what the endpoint of the page is for, and for whom."""
    await page.get_by_role("button", name="Edit description and tags").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Description").fill("Answers the search team.")
    await dialog.get_by_role("button", name="Add a tag").click()
    await dialog.get_by_label("Value").fill("search")
    await expect(dialog.get_by_text("Give each value a key.")).to_be_visible()
    await dialog.get_by_label("Key").fill("team")
    await dialog.get_by_role("button", name="Save").click()
    about = page.get_by_role("region", name="About")
    await expect(about).to_contain_text("Answers the search team.")
    await expect(about).to_contain_text("team=search")


async def test_an_endpoint_is_made_changed_stopped_and_deleted(visit: Visit, own: Server) -> None:
    visitor = await visit(own, "create-endpoint")
    page = visitor.page
    await page.get_by_role("button", name="Create", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("Give it a name. Choose a model.")
    await visitor.look("create-problems")
    await _fill_in(page, "pages-own")
    await page.get_by_role("button", name="Show", exact=True).click()
    await visitor.look("create-provisioned")
    await page.get_by_role("button", name="Create", exact=True).click()
    await visitor.heading("pages-own")
    await expect(page.get_by_text("Requests are answered when all are.")).to_be_visible()
    await expect(page.get_by_text("Ready", exact=True).first).to_be_visible(timeout=_READY_MS)
    await visitor.look("endpoint-provisioned")
    await _describe(page)
    await visitor.look("endpoint-described")
    await page.get_by_role("tab", name="AI gateway").click()
    await expect(page.get_by_label("At most")).to_have_value("77")
    await expect(page.get_by_role("switch", name="Keep requests and answers")).to_be_checked()
    await _ask_once(own, "pages-own")
    await page.get_by_role("tab", name="Metrics").click()
    promise = page.get_by_role("region", name="The promise")
    await expect(promise).to_contain_text("The promise was kept in 1 of 1 minutes with requests.", timeout=_READY_MS)
    await expect(promise.get_by_role("region", name="Throughput by the minute, tokens/s")).to_be_visible()
    await visitor.look("endpoint-promise")

    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_role("switch", name="Burst scaling").click()
    await expect(page.get_by_role("region", name="What changes")).to_contain_text("burst_scaling_enabled")
    await visitor.look("edit")
    await page.get_by_role("button", name="Update", exact=True).click()
    await visitor.heading("pages-own")

    await page.get_by_role("button", name="More actions").click()
    await expect(page.get_by_role("menuitem", name="Clone")).to_be_visible()
    await page.get_by_role("menuitem", name="Permissions").click()
    await expect(page.get_by_role("tab", name="Permissions")).to_have_attribute("aria-selected", "true")
    await visitor.go("Serving endpoints")
    row = page.get_by_role("region", name="Serving endpoints").get_by_role("row", name="pages-own")
    await row.get_by_role("button", name="Actions for pages-own").click()
    await page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text(re.compile(r"Used in the last 24 hours by .+ \(1 request\)"))).to_be_visible()
    await visitor.look("delete-endpoint")
    await dialog.get_by_role("textbox").fill("pages-own")
    await dialog.get_by_role("button", name="Delete").click()
    await visitor.heading("Serving endpoints")
    await expect(page.get_by_role("link", name="pages-own", exact=True)).to_have_count(0)


async def test_what_does_not_fit_into_memory_is_said_before_it_is_sent_and_refused(
    visit: Visit, start_server: StartServer, own: Server
) -> None:
    fit = (await _estimate(own))["memory"]
    room = fit["held_bytes"] + fit["replica_bytes"] // 2
    visitor = await visit(await asyncio.to_thread(start_server, engine_memory=str(room)), "create-endpoint")
    page = visitor.page
    await page.get_by_label("Name", exact=True).fill("too-much")
    await page.get_by_role("combobox", name="Entity").fill(_MODEL)
    await page.get_by_role("option", name=_MODEL).click()
    await expect(page.get_by_role("region", name="Memory").get_by_role("alert")).to_contain_text("It does not fit")
    await visitor.look("create-no-room")
    visitor.expect_error("400")
    await page.get_by_role("button", name="Create", exact=True).click()
    refused = page.get_by_role("alert").filter(has_text="The endpoint was not created")
    await expect(refused).to_contain_text(f"{CHAT} 1.71 GiB")


async def _estimate(server: Server) -> Any:
    async with aiohttp.ClientSession(server.url, headers={"authorization": f"Bearer {server.token}"}) as session:
        query = {"entity_name": _MODEL, "entity_version": "1"}
        async with session.get("/api/2.0/openfm/serving-estimate", params=query) as answer:
            assert answer.ok, await answer.text()
            return await answer.json()


async def test_what_the_server_objects_to_is_said_at_its_field(visit: Visit, own: Server) -> None:
    visitor = await visit(own, "create-endpoint")
    page = visitor.page
    await page.get_by_label("Name", exact=True).fill("nothing-to-serve")
    entity = page.get_by_role("combobox", name="Entity")
    await entity.fill("main.default.nowhere")
    visitor.expect_error("404")
    await page.get_by_role("button", name="Create", exact=True).click()
    await expect(page.get_by_role("alert").filter(has_text="The endpoint was not created")).to_be_visible()
    await expect(entity).to_have_accessible_description(re.compile("main.default.nowhere"))
    await visitor.look("create-objection")
    await entity.fill(_MODEL)
    await expect(page.get_by_role("alert").filter(has_text="The endpoint was not created")).to_be_hidden()


async def test_what_the_server_refuses_is_shown_in_its_words_and_nothing_is_lost(visit: Visit, own: Server) -> None:
    visitor = await visit(own, "create-endpoint")
    page = visitor.page
    await page.get_by_label("Name", exact=True).fill("not-reached")
    await page.get_by_role("radiogroup", name="Kind of served entity 1").get_by_text("External model").click()
    await page.get_by_label("Address of its API").fill("https://models.example/v1")
    await page.get_by_label("Model", exact=True).fill("m")
    await page.get_by_label("Key", exact=True).fill("{{secrets/nobodys/key}}")
    visitor.expect_error("40")  # 400 or 404: which is the server's affair
    await page.get_by_role("button", name="Create", exact=True).click()
    refused = page.get_by_role("alert").filter(has_text="The endpoint was not created")
    await expect(refused).to_contain_text("nobodys")
    await expect(page.get_by_label("Name", exact=True)).to_have_value("not-reached")
    await visitor.look("create-refused")
