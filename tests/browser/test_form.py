"""The form for a new endpoint: what it says of models before anything is sent, and that it is not lost by mistake."""

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.conftest import Server

_MODEL = "system.ai.smollm2_135m_instruct"


async def test_a_model_is_described_where_it_is_chosen(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "create-endpoint")
    page = visitor.page
    entity = page.get_by_role("combobox", name="Entity")
    await entity.fill("no.such.model")
    await expect(page.get_by_text("No model has this name.")).to_be_visible()
    await expect(page.get_by_role("link", name="Import a model")).to_be_visible()
    await entity.fill("smollm2")
    await expect(page.get_by_role("option", name="A 135 million parameter chat model")).to_be_visible()
    await page.get_by_role("option", name=_MODEL).click()
    facts = "Architecture LlamaForCausalLM. 93.8 MiB of weights. Context of 8,192 tokens. Licence Apache-2.0."
    await expect(page.get_by_text(facts)).to_be_visible()
    await expect(page.get_by_role("region", name="Memory").get_by_text("KV cache").first).to_be_visible()
    await visitor.look("endpoint-form-model")


async def test_what_was_written_is_not_lost_by_a_click_beside_it(visit: Visit, server: Server) -> None:
    visitor = await visit(server, "create-endpoint")
    page = visitor.page
    name = page.get_by_label("Name", exact=True)
    await name.fill("half-done")
    await page.get_by_role("link", name="Models").first.click()
    await expect(page.get_by_role("dialog", name="Leave this page?")).to_be_visible()
    await visitor.look("endpoint-form-leave")
    await page.get_by_role("button", name="Stay").click()
    await expect(name).to_have_value("half-done")
    await page.get_by_role("link", name="Models").first.click()
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("heading", name="Models")).to_be_visible()
