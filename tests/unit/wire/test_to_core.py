"""Checked bodies become core requests."""

from typing import Any

import msgspec
import pytest

from openfm.core.chat import ChatRequest, CompletionRequest, NamedTool, Role
from openfm.core.errors import InvalidRequest
from openfm.core.job import OverlongPrompt, PromptForm, ServiceTier
from openfm.wire.manner import Manner
from openfm.wire.requests import ChatBody, CompletionBody, EmbeddingBody
from openfm.wire.to_core import BatchLimits, chat_job, completion_job, embedding_request

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def chat(*, is_strict: bool = False, **values: Any) -> ChatRequest:
    job = chat_job(msgspec.convert({"messages": HELLO} | values, ChatBody), is_strict=is_strict)
    request = job.requests[0]
    assert isinstance(request, ChatRequest)
    return request


def completions(manner: Manner = Manner.INVOCATIONS, **values: Any) -> tuple[CompletionRequest, ...]:
    job = completion_job(msgspec.convert(values, CompletionBody), manner, BatchLimits(), is_strict=False)
    return tuple(request for request in job.requests if isinstance(request, CompletionRequest))


def test_the_documented_defaults_hold() -> None:
    sampling = chat().sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens) == (1.0, 1.0, None, None)


def test_max_completion_tokens_is_max_tokens() -> None:
    assert chat(max_completion_tokens=5).sampling.max_tokens == 5
    with pytest.raises(InvalidRequest):
        chat(max_completion_tokens=5, max_tokens=6)


def test_line_47_system_messages_are_joined_and_come_first_when_lenient() -> None:
    messages = chat(
        messages=[
            {"role": "system", "content": "a"},
            {"role": "user", "content": "b"},
            {"role": "developer", "content": "c"},
            {"role": "user", "content": "d"},
        ]
    ).messages
    assert [(m.role, m.content) for m in messages] == [(Role.SYSTEM, "a\n\nc"), (Role.USER, "b\n\nd")]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "a"}, {"role": "system", "content": "b"}, *HELLO],
        [*HELLO, {"role": "system", "content": "late"}],
        [*HELLO, *HELLO],
    ],
)
def test_line_47_repeated_roles_are_refused_when_strict(messages: list[dict[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        chat(messages=messages, is_strict=True)


def test_line_48_answers_of_one_request_have_different_seeds() -> None:
    job = chat_job(msgspec.convert({"messages": HELLO, "n": 3, "seed": 7}, ChatBody), is_strict=False)
    assert [request.sampling.seed for request in job.requests] == [7, 8, 9]


def test_line_48_streaming_several_answers_is_refused_when_strict_in_the_recorded_words() -> None:
    body = msgspec.convert({"messages": HELLO, "n": 2, "stream": True}, ChatBody)
    with pytest.raises(InvalidRequest, match=r'^Bad request: parameter "n" must be equal to 1 for streaming mode$'):
        chat_job(body, is_strict=True)


def test_line_49_a_tool_choice_must_name_a_tool() -> None:
    named = {"type": "function", "function": {"name": "weather"}}
    assert chat(tools=[WEATHER], tool_choice=named).tool_choice == NamedTool("weather")
    for tools, choice in (([], "required"), ([], named), ([WEATHER, WEATHER], "auto")):
        with pytest.raises(InvalidRequest):
            chat(tools=tools, tool_choice=choice)


def test_line_51_top_logprobs_needs_logprobs() -> None:
    assert chat(logprobs=True, top_logprobs=3).sampling.top_logprobs == 3
    assert chat(logprobs=True).sampling.top_logprobs == 0
    assert chat().sampling.top_logprobs is None
    with pytest.raises(InvalidRequest):
        chat(top_logprobs=3)


def test_line_52_text_parts_are_joined_and_other_parts_are_refused() -> None:
    parts: list[dict[str, object]] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert chat(messages=[{"role": "user", "content": parts}]).messages[0].content == "a\nb"
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    with pytest.raises(InvalidRequest, match="image_url"):
        chat(messages=[{"role": "user", "content": [*parts, image]}])


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user"},
        {"role": "tool", "content": "x"},
        {"role": "user", "content": "x", "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
    ],
)
def test_a_message_that_makes_no_sense_is_refused(message: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        chat(messages=[message])


def test_line_64_choices_are_ordered_prompt_by_prompt() -> None:
    assert [r.prompt for r in completions(prompt=["a", "b"], n=2)] == ["a", "a", "b", "b"]


def test_line_64_more_than_16_prompts_and_streams_of_several_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="17 prompts; up to 16"):
        completions(prompt=["x"] * 17)
    with pytest.raises(InvalidRequest, match="one prompt"):
        completions(prompt=["a", "b"], stream=True)


def test_line_65_prompts_are_templated_on_databricks_routes_and_raw_on_openai_ones() -> None:
    def form(manner: Manner, **values: Any) -> PromptForm:
        body = msgspec.convert({"prompt": "x"} | values, CompletionBody)
        return completion_job(body, manner, BatchLimits(), is_strict=False).prompt_form

    assert form(Manner.INVOCATIONS) is PromptForm.TEMPLATED
    assert form(Manner.INVOCATIONS, use_raw_prompt=True) is PromptForm.RAW
    assert form(Manner.INVOCATIONS, prompt=[1, 2]) is PromptForm.RAW
    assert form(Manner.OPENAI) is PromptForm.RAW


def test_line_65_error_behavior_and_suffix() -> None:
    body = msgspec.convert({"prompt": "x", "error_behavior": "truncate"}, CompletionBody)
    job = completion_job(body, Manner.INVOCATIONS, BatchLimits(), is_strict=False)
    assert job.overlong_prompt is OverlongPrompt.TRUNCATE
    with pytest.raises(InvalidRequest, match="filling in the middle"):
        completions(Manner.OPENAI, prompt="x", suffix="y")


def test_line_67_a_batch_of_150_is_accepted_and_one_of_151_refused() -> None:
    def request(count: int) -> int:
        return len(embedding_request(msgspec.convert({"input": ["x"] * count}, EmbeddingBody), BatchLimits()).inputs)

    assert request(150) == 150
    with pytest.raises(InvalidRequest, match="151 texts; up to 150"):
        request(151)


@pytest.mark.parametrize(("given", "inputs"), [("a", ("a",)), ([1, 2], ((1, 2),)), ([[1], [2]], ((1,), (2,)))])
def test_embedding_inputs_may_be_spelled_in_four_ways(given: object, inputs: object) -> None:
    assert embedding_request(msgspec.convert({"input": given}, EmbeddingBody), BatchLimits()).inputs == inputs


@pytest.mark.parametrize("given", ["", [], ["a", ""]])
def test_an_empty_embedding_input_is_refused(given: object) -> None:
    with pytest.raises(InvalidRequest):
        embedding_request(msgspec.convert({"input": given}, EmbeddingBody), BatchLimits())


@pytest.mark.parametrize(
    ("asked", "tier"),
    [(None, ServiceTier.DEFAULT), ("auto", ServiceTier.DEFAULT), ("priority", ServiceTier.PRIORITY)],
)
def test_only_priority_is_a_tier_of_its_own(asked: str | None, tier: ServiceTier) -> None:
    values = {"prompt": "hello"} | ({} if asked is None else {"service_tier": asked})
    body = msgspec.convert(values, CompletionBody)
    assert completion_job(body, Manner.OPENAI, BatchLimits(), is_strict=False).tier is tier
