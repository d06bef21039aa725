"""An endpoint's AI gateway on its page, and the requests that it keeps."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.conftest import CHAT, Server, StartServer

_ENDPOINTS = "/api/2.0/serving-endpoints"
_SLOW_MS = 60_000
_ASKED = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say a word."}],
    "max_tokens": 8,
    "temperature": 0,
}


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Server:
    return start_server()


@pytest.fixture
async def session(own: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(own.url, headers={"authorization": f"Bearer {own.token}"}) as opened:
        yield opened


async def _gateway(session: aiohttp.ClientSession) -> Any:
    async with session.get(f"{_ENDPOINTS}/{CHAT}") as answer:
        assert answer.ok, await answer.text()
        return (await answer.json()).get("ai_gateway")


async def _put_gateway(session: aiohttp.ClientSession, gateway: dict[str, Any]) -> None:
    async with session.put(f"{_ENDPOINTS}/{CHAT}/ai-gateway", json=gateway) as answer:
        assert answer.ok, await answer.text()


async def _ask(session: aiohttp.ClientSession, body: dict[str, Any]) -> str:
    async with session.post(f"/serving-endpoints/{CHAT}/invocations", json=body) as answer:
        assert answer.ok, await answer.text()
        return str(answer.headers["x-request-id"])


async def test_the_inference_table_is_switched_and_nothing_else_is_lost(
    visit: Visit, own: Server, session: aiohttp.ClientSession
) -> None:
    limit = {"calls": 1000, "key": "endpoint", "renewal_period": "minute"}
    await _put_gateway(session, {"rate_limits": [limit], "usage_tracking_config": {"enabled": True}})
    visitor = await visit(own, f"endpoints/{CHAT}?tab=gateway")
    page = visitor.page
    await expect(page.get_by_text("1,000 requests a minute, all together")).to_be_visible()
    save = page.get_by_role("button", name="Save the inference table")
    await expect(save).to_be_disabled()
    await expect(page.get_by_role("switch", name="Try the other served entities")).to_have_count(0)
    await page.get_by_role("switch", name="Keep requests and answers").click()
    await page.get_by_label("Table name prefix").fill("kept")
    await expect(page.get_by_text("Tell them.")).to_be_visible()
    await visitor.look("ai-gateway")
    await save.click()
    await expect(page.get_by_text("The AI gateway was changed.")).to_be_visible()
    gateway = await _gateway(session)
    assert gateway["fallback_config"] == {"enabled": False}
    assert gateway["inference_table_config"] == {"enabled": True, "table_name_prefix": "kept"}
    assert gateway["rate_limits"] == [limit]
    assert gateway["usage_tracking_config"] == {"enabled": True}


async def test_a_request_that_was_kept_is_read_and_replayed(
    visit: Visit, own: Server, session: aiohttp.ClientSession
) -> None:
    await _put_gateway(session, {})
    unkept = await _ask(session, _ASKED)
    await _put_gateway(session, {"inference_table_config": {"enabled": True}})
    kept = await _ask(session, _ASKED)
    visitor = await visit(own, f"endpoints/{CHAT}?tab=requests")
    page = visitor.page
    drawer = page.get_by_role("dialog", name="Request")
    await expect(page.get_by_text(kept[:8])).to_be_visible(timeout=_SLOW_MS)
    await page.get_by_role("row").filter(has_text=unkept[:8]).get_by_role("button", name="Details of the").click()
    visitor.expect_error("404")
    await expect(drawer.get_by_text("The text of this request was not kept")).to_be_visible()
    await expect(drawer).to_contain_text("Time in line")
    await visitor.look("request-not-kept")
    await drawer.get_by_role("button", name="Close").click()
    await page.get_by_role("row").filter(has_text=kept[:8]).get_by_role("button", name="Details of the").click()
    request = drawer.get_by_role("region", name="request", exact=True)
    assert json.loads(await request.inner_text()) == _ASKED
    await expect(drawer.get_by_role("region", name="answer", exact=True)).to_contain_text("choices")
    await visitor.look("request-kept")
    await drawer.get_by_role("link", name="Replay in Playground").click()
    await expect(page.get_by_label("Message", exact=True)).to_have_value("Say a word.")
    await expect(page.get_by_role("button", name="Settings (3 changed)")).to_be_visible()
    await expect(page.get_by_role("combobox", name="Endpoint 1")).to_have_value(CHAT)


async def test_usage_of_one_endpoint_is_a_step_from_its_page(visit: Visit, own: Server) -> None:
    visitor = await visit(own, f"endpoints/{CHAT}?tab=usage")
    await expect(visitor.page.get_by_role("region", name="Who used what").get_by_role("row").nth(1)).to_be_visible()
    await visitor.page.get_by_role("link", name="Its dashboard in Usage").click()
    await visitor.heading("Usage")
    await expect(visitor.page.get_by_role("combobox", name="Endpoint")).to_have_value(CHAT)
