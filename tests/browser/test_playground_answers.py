"""What the playground does with a real model's answers: tools, answers that were cut, files."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor
from tests.conftest import CHAT, Server, StartServer

_SLOW_MS = 60_000
_WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def _answers(page: Page) -> Locator:
    return page.get_by_role("article", name="Answer")


def _settings(page: Page) -> Locator:
    return page.get_by_role("button", name="Settings")


@pytest.fixture(scope="module")
def own(start_server: StartServer) -> Server:
    """What is asked here stays out of the cache of the server that all others ask."""
    return start_server()


@pytest.fixture
async def visitor(visit: Visit, own: Server) -> Visitor:
    found = await visit(own)
    await found.open(f"playground?endpoint={CHAT}")
    await expect(found.page.get_by_role("combobox", name="Endpoint 1")).to_have_value(CHAT)
    await _settings(found.page).click()
    await found.page.get_by_label("Temperature").fill("0")
    return found


async def _ask(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def test_a_model_calls_a_tool_and_goes_on_with_what_it_gives(visitor: Visitor) -> None:
    page = visitor.page
    tools = page.get_by_label("Tools")
    await tools.fill("{")
    await expect(page.get_by_text("The tools are not JSON")).to_be_visible()
    await tools.fill("")
    await page.get_by_role("button", name="Add tool").click()
    await expect(tools).to_have_value(json.dumps(json.loads(await tools.input_value()), indent=2))
    await tools.fill(json.dumps(_WEATHER))
    await page.get_by_role("combobox", name="Tool choice").click()
    await page.get_by_role("option", name="At least one").click()
    await page.get_by_label("Max tokens").fill("60")
    await visitor.look("playground-tools")
    await _settings(page).click()
    await _ask(page, "What is the weather in Paris?")
    call = _answers(page).get_by_role("region", name="Call of get_weather")
    await expect(call).to_contain_text("city", timeout=_SLOW_MS)
    await expect(page.get_by_test_id("stats")).to_contain_text("tool_calls")
    await visitor.look("playground-tool-call")
    await _settings(page).click()
    await page.get_by_role("combobox", name="Tool choice").click()
    await page.get_by_role("option", name="None").click()
    await _settings(page).click()
    await page.get_by_label("What get_weather gives").fill('{"temperature": 21}')
    await page.get_by_role("button", name="Send the result").click()
    await expect(page.get_by_role("article", name="Result of get_weather")).to_contain_text("21")
    await expect(_answers(page)).to_have_count(2)
    await expect(page.get_by_test_id("stats").last).to_contain_text(" out", timeout=_SLOW_MS)
    await _answers(page).last.get_by_role("button", name="Show the request and the raw events").click()
    await page.get_by_role("tab", name="Request").click()
    request = json.loads(await page.get_by_role("region", name="request").inner_text())
    assert [one["role"] for one in request["messages"]] == ["user", "assistant", "tool"]


async def test_an_answer_that_was_cut_goes_on_where_it_ended(visitor: Visitor) -> None:
    page = visitor.page
    await page.get_by_label("Max tokens").fill("8")
    await _settings(page).click()
    await _ask(page, "Tell me a long story.")
    stats, go_on = page.get_by_test_id("stats"), page.get_by_role("button", name="Let the answer go on")
    await expect(stats).to_contain_text("cut at max tokens", timeout=_SLOW_MS)
    before = (await _answers(page).locator(".answer").inner_text()).strip()
    await go_on.click()
    await expect(_answers(page).locator(".answer")).not_to_have_text(before)
    await expect(stats).to_contain_text("cut at max tokens", timeout=_SLOW_MS)
    after = (await _answers(page).locator(".answer").inner_text()).strip()
    assert after.startswith(before)
    assert len(after) > len(before)
    await expect(_answers(page)).to_have_count(1)
    await page.get_by_role("button", name="Branch into another column").click()
    branch = page.get_by_role("region", name=re.compile("Column 2:"))
    await expect(branch.get_by_role("article", name="Answer")).to_contain_text(after)
    await visitor.look("playground-branch")


async def test_several_answers_come_with_the_probabilities_of_their_tokens(visitor: Visitor) -> None:
    page = visitor.page
    await page.get_by_label("Temperature").fill("1")
    await page.get_by_label("Max tokens").fill("6")
    await page.get_by_label("Answers").fill("2")
    await page.get_by_role("switch", name="Token probabilities").click()
    await _settings(page).click()
    await _ask(page, "Name a colour.")
    other = _answers(page).get_by_role("region", name="Answer 2 of 2")
    await expect(page.get_by_test_id("stats")).to_contain_text(" out", timeout=_SLOW_MS)
    await expect(other).not_to_have_text("")
    await _answers(page).get_by_text(re.compile(r"Probabilities of \d tokens")).click()
    table = page.get_by_role("region", name="Probabilities of the tokens")
    await expect(table.get_by_role("row").nth(1)).to_contain_text(" %")
    await visitor.look("playground-probabilities")
    second = (await other.locator(".answer").inner_text()).strip()
    await page.get_by_role("button", name="Go on with answer 2").click()
    await expect(_answers(page).locator(".answer").first).to_contain_text(second)


async def test_an_answer_is_held_against_its_schema_and_the_code_asks_the_question(visitor: Visitor) -> None:
    page = visitor.page
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    await page.get_by_role("combobox", name="Format").click()
    await page.get_by_role("option", name="JSON schema").click()
    await page.get_by_label("JSON schema").last.fill(json.dumps(schema))
    await page.get_by_label("Max tokens").fill("60")
    await _settings(page).click()
    await _ask(page, "Name the capital of France.")
    await expect(_answers(page)).to_contain_text("The answer is JSON as the schema has it.", timeout=_SLOW_MS)
    await page.get_by_role("button", name="Actions for column 1").click()
    await page.get_by_role("menuitem", name="Get code").click()
    await page.get_by_role("radiogroup", name="Language of code").get_by_text("JSON", exact=True).click()
    body = json.loads(await page.get_by_role("region", name="JSON code").inner_text())
    assert [one["role"] for one in body["messages"]] == ["user"]


async def test_a_text_file_becomes_a_part_of_the_prompt_and_others_are_refused(
    visitor: Visitor, tmp_path: Path
) -> None:
    page, message = visitor.page, visitor.page.get_by_label("Message", exact=True)
    figures, picture = tmp_path / "figures.csv", tmp_path / "picture.md"
    figures.write_text("city,people\nParis,2\n", encoding="utf-8")
    picture.write_bytes(b"\x89PNG\xff\x00")
    attach = page.locator("input[type=file]").last
    await message.fill("How many people?")
    await attach.set_input_files(figures)
    await expect(message).to_have_value("How many people?\n\nFile figures.csv:\n\n```\ncity,people\nParis,2\n```\n")
    await attach.set_input_files(picture)
    await expect(page.get_by_role("alert")).to_contain_text("picture.md is no text in UTF-8")
    await visitor.look("playground-attached")


async def test_the_list_of_endpoints_says_what_each_model_can_do(visitor: Visitor) -> None:
    page = visitor.page
    await page.get_by_role("combobox", name="Endpoint 1").click()
    option = page.get_by_role("option", name=CHAT, exact=True)
    await expect(option).to_contain_text("Ready · 8,192 context · Tools enabled")
