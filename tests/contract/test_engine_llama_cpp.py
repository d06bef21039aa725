"""What llama.cpp alone must do: schemas, tools, hang-ups during a long prompt. Prints what it measures."""

import asyncio
import json
import re
import time
import uuid
from contextlib import aclosing, suppress
from itertools import pairwise

import aiohttp
import jsonschema_rs
import psutil
import pytest

from openfm.core.chat import (
    ChatRequest,
    CompletionRequest,
    Delta,
    FinishReason,
    Message,
    NamedTool,
    ResponseFormat,
    Role,
    SamplingParams,
    Tool,
    ToolCall,
    ToolChoice,
)
from openfm.core.errors import InvalidRequest
from openfm.engines.llama_cpp import LlamaCppEngine
from openfm.wire.engine_api import generation_body
from tests.contract.engine_steps import GREEDY, SYSTEM, answer, arguments_of, ask, end_of, show, text_of, until

WARM = SamplingParams(max_tokens=300, temperature=1)
WEATHER = Tool(
    "get_weather",
    "The weather in a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 30}, "unit": {"$ref": "#/$defs/unit"}},
        "required": ["city", "unit"],
        "$defs": {"unit": {"enum": ["C", "F"]}},
    },
)
CLOCK = Tool("get_time", "The time in a zone", {"type": "object", "properties": {"zone": {"enum": ["UTC", "CET"]}}})
PERSON: dict[str, object] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "code": {"type": "string", "pattern": r"^\d{3}-[a-z\d]{2}\.(?:com|org)$"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "code", "tags"],
    "additionalProperties": False,
}


def formatted(schema: dict[str, object] | None, sampling: SamplingParams = WARM) -> ChatRequest:
    return ChatRequest((SYSTEM, Message(Role.USER, "Describe Ann.")), sampling, response_format=ResponseFormat(schema))


def with_tools(choice: ToolChoice, text: str = "What is the weather in Paris?") -> ChatRequest:
    sampling = SamplingParams(max_tokens=120, temperature=0)
    return ChatRequest((SYSTEM, Message(Role.USER, text)), sampling, tools=(WEATHER, CLOCK), tool_choice=choice)


def processor_time_s() -> float:
    """What all workers of this process have used; the idle ones add nothing."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(used.user + used.system for used in times)


def long_prompt() -> ChatRequest:
    """About 6,000 tokens that no cache has seen."""
    return ask(f"{uuid.uuid4()} " + "word tree " * 2980, SamplingParams(max_tokens=50, temperature=0))


@pytest.mark.parametrize("delay_s", [1.0, 4.0])
async def test_a_hang_up_during_a_long_prompt_stops_the_engine_within_a_step(
    llama: LlamaCppEngine, delay_s: float
) -> None:
    request = long_prompt()
    before = await llama.stats()
    task = asyncio.create_task(answer(llama, request))
    with suppress(TimeoutError):
        async with asyncio.timeout(delay_s):
            await asyncio.shield(task)
    task.cancel()
    hung_up = time.monotonic()
    with suppress(asyncio.CancelledError):
        await task
    stopped, _ = await until(llama.stats, lambda stats: not stats.requests_running, within_s=3.0)
    took_s = time.monotonic() - hung_up
    processed = stopped.prompt_tokens_total - before.prompt_tokens_total
    show(f"prefill: idle {took_s:.3f} s after the hang-up at {delay_s} s; {processed} prompt tokens processed")
    assert processed < 5000
    assert took_s < 1.5
    await asyncio.gather(*(answer(llama, ask("Hello?", SamplingParams(max_tokens=1))) for _ in range(2)))
    after = await llama.stats()
    assert after.prompt_tokens_total - stopped.prompt_tokens_total < 100, "it went on with the abandoned prompt"


async def test_a_step_of_a_long_prompt_takes_half_a_second_at_most(llama: LlamaCppEngine) -> None:
    """Every step of a prompt sends one progress event.

    Judged by the workers' processor time on their two threads: the clock would judge the neighbours too.
    """
    body = generation_body(long_prompt(), "default") | {"return_progress": True}
    headers = {"authorization": f"Bearer {llama.address.secret}"}
    arrivals: list[float] = []
    used: list[float] = []
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{llama.address.url}/v1/chat/completions", json=body) as response,
    ):
        async for line in response.content:
            if b"prompt_progress" in line:
                arrivals.append(time.monotonic())
                used.append(processor_time_s())
            if len(arrivals) > 15:
                response.close()
                break
    steps = sorted(after - before for before, after in pairwise(arrivals))
    computed_s = (used[-1] - used[0]) / 2 / (len(used) - 1)
    show(f"steps during prefill: median {steps[7]:.3f} s, longest {steps[-1]:.3f} s; computing {computed_s:.3f} s each")
    assert computed_s < 0.5


async def test_a_hang_up_in_mid_stream_stops_the_engine_within_a_step(llama: LlamaCppEngine) -> None:
    story = ask("Tell me a story.", SamplingParams(max_tokens=4000, temperature=0, ignore_eos=True))
    before = await llama.stats()
    received = 0
    async with aclosing(llama.generate(story)) as events:
        async for event in events:
            received = event.counts.completion
            if received >= 30:
                break
    stopped, took_s = await until(llama.stats, lambda stats: not stats.requests_running, within_s=2.0)
    generated = stopped.completion_tokens_total - before.completion_tokens_total
    show(f"mid-stream: idle {took_s:.3f} s after the hang-up; received {received}, generated {generated}")
    assert generated - received <= 8
    assert took_s < 0.6


async def test_the_engine_counts_what_the_answers_say(llama: LlamaCppEngine) -> None:
    before = await llama.stats()
    ends = [end_of(await answer(llama, ask(f"Say {number}."))).counts for number in range(3)]
    after = await llama.stats()
    assert after.completion_tokens_total - before.completion_tokens_total == sum(end.completion for end in ends)
    uncached = sum(end.prompt - end.cached for end in ends)
    assert after.prompt_tokens_total - before.prompt_tokens_total == uncached


async def test_a_repeated_prompt_comes_from_the_cache(llama: LlamaCppEngine) -> None:
    request = ask("Which river flows through Vienna and Budapest, and where does it end?")
    first, second = [end_of(await answer(llama, request)).counts for _ in range(2)]
    assert second.prompt == first.prompt
    assert second.cached >= first.prompt - 1


async def test_characters_are_never_split(llama: LlamaCppEngine) -> None:
    family = "👩‍👩‍👧‍👦🇩🇪 naïve 語"
    events = await answer(llama, formatted({"enum": [family]}))
    assert json.loads(text_of(events)) == family
    assert all("�" not in event.text for event in events if isinstance(event, Delta))


async def test_a_schema_holds_at_temperature_one(llama: LlamaCppEngine) -> None:
    for seed in range(5):
        events = await answer(llama, formatted(PERSON, SamplingParams(max_tokens=300, temperature=1, seed=seed)))
        assert end_of(events).reason is FinishReason.STOP
        person = json.loads(text_of(events))
        assert jsonschema_rs.is_valid(PERSON, person), person


async def test_json_object_is_an_object(llama: LlamaCppEngine) -> None:
    events = await answer(llama, formatted(None, SamplingParams(max_tokens=400, temperature=1, seed=1)))
    text = text_of(events)
    assert text.lstrip().startswith("{")
    if end_of(events).reason is FinishReason.STOP:
        assert isinstance(json.loads(text), dict)


BAD_SCHEMAS: dict[str, dict[str, object]] = {
    "unknown type": {"type": "nonsense"},
    "reference to nowhere": {"$ref": "#/$defs/none"},
    "reference to a file": {"$ref": "file:///etc/passwd"},
    "endless reference": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "left recursion": {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}}},
    "100,000 enum values": {"enum": list(range(100_000))},
    "minItems of 10^9": {"type": "array", "items": {}, "minItems": 10**9},
    "pattern that is none": {"type": "string", "pattern": "^(a$"},
    "pattern that explodes": {"type": "string", "pattern": "^((((a{0,30}){0,30}){0,30}){0,30}){0,30}$"},
    "nested too deep": {"type": "array", "items": json.loads('{"items":' * 200 + "{}" + "}" * 200)},
    "what grammars cannot say": {"not": {"type": "string"}},
}


@pytest.mark.parametrize("schema", BAD_SCHEMAS.values(), ids=BAD_SCHEMAS.keys())
async def test_a_bad_schema_is_refused_and_the_engine_lives_on(
    llama: LlamaCppEngine, schema: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequest):
        await answer(llama, formatted(schema))
    assert text_of(await answer(llama, ask("Hello!")))


async def test_the_largest_allowed_schemas_keep_steps_short(llama: LlamaCppEngine) -> None:
    largest: dict[str, dict[str, object]] = {
        "1,000 enum values": {"enum": [f"value {number}" for number in range(1000)]},
        "1,000 items": {"type": "array", "items": {"type": "integer"}, "maxItems": 1000},
        "1,000 characters": {"type": "string", "maxLength": 1000},
        "nested repetitions": {"type": "string", "pattern": "^((a{0,2}b){1,20}c){0,20}$"},
        "repeated options": {"type": "string", "pattern": "^(a?){0,64}$"},
        "options in a row": {"type": "string", "pattern": "^" + "a?b*" * 32 + "$"},
        "200 options": {"type": "object", "properties": {f"p{n}": {"type": "integer"} for n in range(200)}},
    }
    for name, schema in largest.items():
        began = time.monotonic()
        events = await answer(llama, formatted(schema, SamplingParams(max_tokens=10, temperature=1, seed=1)))
        per_token_s = (time.monotonic() - began) / max(1, end_of(events).counts.completion)
        show(f"schema with {name}: {per_token_s:.3f} s a token")
        assert per_token_s < 1.0


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{2}$",
        r"^[\w.+-]+@[a-z]{2,8}\.(com|org)$",
        r"^.{5,30}$",
        r"^[ -~]{5,30}$",
        r"^[^a-z]{3,20}$",
        r"^(?:red|gr[ae]y|blue)$",
        r"^\$\d+\.\d\d \(\w+\)\?$",
    ],
)
async def test_a_pattern_holds_and_the_answer_stays_json(llama: LlamaCppEngine, pattern: str) -> None:
    for seed in range(3):
        sampling = SamplingParams(max_tokens=200, temperature=1, seed=seed)
        events = await answer(llama, formatted({"type": "string", "pattern": pattern}, sampling))
        if end_of(events).reason is FinishReason.STOP:
            assert re.fullmatch(pattern, json.loads(text_of(events)))


@pytest.mark.parametrize("choice", ["required", NamedTool("get_time"), NamedTool("get_weather")])
async def test_a_forced_tool_is_called_with_valid_arguments(llama: LlamaCppEngine, choice: ToolChoice) -> None:
    events = await answer(llama, with_tools(choice))
    calls = [call for event in events if isinstance(event, Delta) for call in event.tool_calls]
    first = calls[0]
    assert first.name is not None
    assert first.id is not None
    assert first.id.startswith("call_")
    if isinstance(choice, NamedTool):
        assert first.name == choice.name
    parameters = WEATHER.parameters if first.name == "get_weather" else CLOCK.parameters
    assert jsonschema_rs.is_valid(dict(parameters), json.loads(arguments_of(events)))
    assert end_of(events).reason is FinishReason.TOOL_CALLS
    assert text_of(events) == ""


async def test_auto_gives_a_call_or_text_but_never_the_json_around_it(llama: LlamaCppEngine) -> None:
    for question in ("What is the weather in Paris?", "Hello!"):
        events = await answer(llama, with_tools("auto", question))
        if arguments_of(events):
            assert end_of(events).reason is FinishReason.TOOL_CALLS
            json.loads(arguments_of(events))
        else:
            assert '{"response"' not in text_of(events)


async def test_none_calls_nothing(llama: LlamaCppEngine) -> None:
    events = await answer(llama, with_tools("none"))
    assert not arguments_of(events)


async def test_an_unknown_tool_choice_is_refused(llama: LlamaCppEngine) -> None:
    with pytest.raises(InvalidRequest, match="not among the tools"):
        await answer(llama, with_tools(NamedTool("nothing")))


async def test_a_tool_turn_in_the_history_is_seen(llama: LlamaCppEngine) -> None:
    call = ToolCall("call_1", "get_weather", '{"city": "Paris", "unit": "C"}')
    history = (
        SYSTEM,
        Message(Role.USER, "What is the weather in Paris?"),
        Message(Role.ASSISTANT, None, (call,)),
        Message(Role.TOOL, "18 degrees and sunny", tool_call_id="call_1"),
    )
    request = ChatRequest(history, GREEDY)
    with_result = await llama.tokenize(request)
    without = await llama.tokenize(ChatRequest(history[:2], GREEDY))
    assert len(with_result) > len(without) + 20
    assert text_of(await answer(llama, request))


async def test_logit_bias_forbids_a_token(llama: LlamaCppEngine) -> None:
    question = "Name the capital of France."
    events = await answer(llama, ask(question))
    opening = next(event.text for event in events if isinstance(event, Delta))
    (token,) = await llama.tokenize(CompletionRequest(opening))
    biased = SamplingParams(max_tokens=24, temperature=0, logit_bias={token: -100.0})
    assert not text_of(await answer(llama, ask(question, biased))).startswith(opening)


async def test_a_seed_makes_chance_repeatable(llama: LlamaCppEngine) -> None:
    def draw(seed: int) -> SamplingParams:
        return SamplingParams(max_tokens=20, temperature=1, seed=seed)

    one, again, other = [text_of(await answer(llama, ask("Tell a story.", draw(seed)))) for seed in (-7, -7, 8)]
    assert one == again != other


async def test_ignore_eos_goes_on_to_max_tokens(llama: LlamaCppEngine) -> None:
    sampling = SamplingParams(max_tokens=64, temperature=0, ignore_eos=True)
    assert end_of(await answer(llama, ask("Say yes.", sampling))).counts.completion == 64
