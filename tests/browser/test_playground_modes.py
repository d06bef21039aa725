"""The playground's other modes, with the real small models."""

import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.conftest import CHAT, EMBEDDING, Server, StartServer

_SLOW_MS = 60_000


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Server:
    """What is asked here stays out of the cache of the server that all others ask."""
    return start_server()


async def test_a_model_goes_on_with_a_text(visit: Visit, own: Server) -> None:
    visitor = await visit(own, "playground")
    page = visitor.page
    await page.get_by_role("radiogroup", name="What to try").get_by_text("Completions").click()
    await page.get_by_role("combobox", name="Endpoint").click()
    await page.get_by_role("option", name=CHAT, exact=True).click()
    await page.get_by_label("Max tokens").fill("8")
    await page.get_by_label("Temperature").fill("0")
    await page.get_by_label("Prompt", exact=True).fill("The capital of France is")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_test_id("completion")).to_contain_text("Paris", timeout=_SLOW_MS)
    await expect(page.get_by_test_id("stats")).to_contain_text("8 out")
    await visitor.look("playground-completions")
    await page.get_by_role("button", name="Request and raw events").click()
    await page.get_by_role("tab", name="Request").click()
    request = json.loads(await page.get_by_role("region", name="request").inner_text())
    assert (request["prompt"], request["use_raw_prompt"]) == ("The capital of France is", True)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Get code").click()
    await expect(page.get_by_role("region", name="curl code")).to_contain_text("use_raw_prompt")


async def test_a_text_that_comes_is_stopped_and_kept(visit: Visit, own: Server) -> None:
    visitor = await visit(own, f"playground?mode=completions&endpoint={CHAT}")
    page = visitor.page
    await page.get_by_label("Max tokens").fill("2000")
    await page.get_by_label("Prompt", exact=True).fill("1, 2, 3, 4,")
    await page.get_by_role("button", name="Run").click()
    await expect(page.get_by_test_id("completion")).not_to_be_empty(timeout=_SLOW_MS)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("button", name="Run")).to_be_visible()
    await expect(page.get_by_test_id("completion")).not_to_be_empty()


async def test_texts_are_compared_by_their_embeddings(visit: Visit, own: Server, tmp_path: Path) -> None:
    visitor = await visit(own)
    page = visitor.page
    await page.get_by_role("article", name=EMBEDDING).get_by_role("link", name="Try in Playground").click()
    await expect(page.get_by_role("radio", name="Embeddings")).to_be_checked()
    await expect(page.get_by_role("combobox", name="Endpoint")).to_have_value(EMBEDDING)
    await page.get_by_role("button", name="Run").click()
    rows = page.get_by_role("region", name="Cosine similarity").get_by_role("row")
    await expect(rows).to_have_count(4, timeout=_SLOW_MS)
    cats = [float(text) for text in await rows.nth(1).get_by_role("cell").all_inner_texts()]
    assert cats[0] == 1.0
    assert cats[1] > cats[2] + 0.3
    await expect(page.get_by_test_id("stats")).to_contain_text("384 dimensions")
    await visitor.look("playground-embeddings")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Vectors as JSON").click()
    await (await downloading.value).save_as(tmp_path / "vectors.json")
    vectors = json.loads((tmp_path / "vectors.json").read_text())
    assert [len(one["embedding"]) for one in vectors] == [384, 384, 384]
    await page.get_by_label("Texts").fill("\n".join("abcdefghijklmnopq"))
    await expect(page.get_by_text("These are 17 texts. Leave at most 16.")).to_be_visible()
    await expect(page.get_by_role("button", name="Run")).to_be_disabled()
