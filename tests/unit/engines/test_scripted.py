from contextlib import aclosing

import pytest

from openfm.core.chat import ChatRequest, CompletionRequest, Delta, Finished, FinishReason, Message, Role, ToolCall
from openfm.core.errors import EngineFailed, Overloaded
from openfm.engines.scripted import FOREVER, ScriptedEngine

HELLO = ChatRequest((Message(Role.USER, "hello there"),))


async def test_it_says_what_it_is_told_and_then_echoes() -> None:
    engine = ScriptedEngine()
    engine.will_say("one", "two")
    events = [event async for event in engine.generate(HELLO)]
    assert [event.text for event in events if isinstance(event, Delta)] == ["one", " two"]
    echoed = [event async for event in engine.generate(HELLO)]
    assert [event.text for event in echoed if isinstance(event, Delta)] == ["hello", " there"]
    assert engine.requests == [HELLO, HELLO]
    assert engine.cancelled == 0


async def test_a_caller_that_gives_up_is_counted_as_cancelled() -> None:
    engine = ScriptedEngine()
    engine.will_say("one", "two", gap_s=FOREVER)
    async with aclosing(engine.generate(HELLO)) as events:
        await anext(events)
        assert engine.running == 1
    assert (engine.running, engine.cancelled) == (0, 1)


async def test_gaps_go_through_the_given_sleep() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    engine = ScriptedEngine(sleep)
    engine.will_say("one", "two", "three", gap_s=0.5)
    assert len([event async for event in engine.generate(HELLO)]) == 4
    assert slept == [0.5, 0.5]


async def test_an_error_comes_before_the_first_word_or_after_some() -> None:
    engine = ScriptedEngine()
    engine.will_say(error=Overloaded("Busy."))
    with pytest.raises(Overloaded):
        await anext(engine.generate(HELLO))
    engine.will_say("one", "two", fail_after=1)
    events = engine.generate(HELLO)
    assert isinstance(await anext(events), Delta)
    with pytest.raises(EngineFailed):
        await anext(events)


async def test_thoughts_words_and_calls_come_in_this_order() -> None:
    engine = ScriptedEngine()
    engine.will_say("so:", reasoning="hm hm", tool_calls=[ToolCall("call_1", "f", "{}")])
    *deltas, last = [event async for event in engine.generate(HELLO)]
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.TOOL_CALLS
    assert (last.counts.completion, last.counts.reasoning) == (4, 2)
    kinds = [(event.reasoning, event.text, len(event.tool_calls)) for event in deltas if isinstance(event, Delta)]
    assert kinds == [("hm", "", 0), (" hm", "", 0), ("", "so:", 0), ("", "", 1)]


async def test_tokens_are_words() -> None:
    assert len(await ScriptedEngine().tokenize(CompletionRequest("one two three"))) == 3
