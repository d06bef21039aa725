"""What every engine that generates must do. `engines/base.py` has the contract in words."""

import asyncio
from contextlib import aclosing

import pytest

from openfm.core.chat import CompletionRequest, Delta, FinishReason, SamplingParams
from openfm.core.errors import ContextTooLong
from openfm.core.usage import TokenCounts
from tests.contract.conftest import Contender
from tests.contract.engine_steps import GREEDY, answer, ask, end_of, text_of, until


async def test_an_answer_is_deltas_and_then_one_finished(contender: Contender) -> None:
    events = await answer(contender.engine, ask("Name the capital of France."))
    assert text_of(events)
    assert end_of(events).reason in (FinishReason.STOP, FinishReason.LENGTH)


async def test_counts_grow_with_the_deltas_and_the_last_are_exact(contender: Contender) -> None:
    request = ask("Count from one to nine, please.")
    events = await answer(contender.engine, request)
    completions = [event.counts.completion for event in events]
    assert completions == sorted(completions)
    assert completions[0] >= 1
    assert end_of(events).counts.prompt == len(await contender.counter.tokenize(request))


async def test_max_tokens_ends_the_answer(contender: Contender) -> None:
    request = ask("Tell me a very long story about rivers.", SamplingParams(max_tokens=5, temperature=0))
    finished = end_of(await answer(contender.engine, request))
    assert (finished.reason, finished.counts.completion) == (FinishReason.LENGTH, 5)


async def test_a_stop_string_ends_the_answer_and_never_leaks(contender: Contender) -> None:
    question = "Name the capital of France."
    whole = text_of(await answer(contender.engine, ask(question)))
    stop = whole[len(whole) // 2 : len(whole) // 2 + 5]
    events = await answer(contender.engine, ask(question, SamplingParams(max_tokens=24, temperature=0, stop=(stop,))))
    assert text_of(events) == whole[: whole.index(stop)]
    assert end_of(events).reason is FinishReason.STOP


async def test_temperature_zero_is_repeatable(contender: Contender) -> None:
    first, second = [text_of(await answer(contender.engine, ask("Name three colours."))) for _ in range(2)]
    assert first == second


async def test_logprobs_come_with_as_many_alternatives_as_asked(contender: Contender) -> None:
    request = ask("Name the capital of France.", SamplingParams(max_tokens=4, temperature=0, top_logprobs=2))
    events = await answer(contender.engine, request)
    entries = [entry for event in events if isinstance(event, Delta) for entry in event.logprobs]
    assert "".join(entry.token for entry in entries) == text_of(events)
    assert all(entry.logprob <= 0 and len(entry.top) == 2 for entry in entries)


async def test_logprobs_without_alternatives_can_be_asked_for(contender: Contender) -> None:
    request = ask("Name the capital of France.", SamplingParams(max_tokens=4, temperature=0, top_logprobs=0))
    events = await answer(contender.engine, request)
    entries = [entry for event in events if isinstance(event, Delta) for entry in event.logprobs]
    assert all(entry.top == () for entry in entries)


async def test_a_completion_continues_text_or_token_ids(contender: Contender) -> None:
    prompt = "The capital of France is"
    ids = await contender.counter.tokenize(CompletionRequest(prompt))
    from_text = await answer(contender.engine, CompletionRequest(prompt, GREEDY))
    from_ids = await answer(contender.engine, CompletionRequest(ids, GREEDY))
    assert end_of(from_text).counts.prompt == end_of(from_ids).counts.prompt == len(ids)
    assert text_of(from_text)
    assert text_of(from_ids)


async def test_requests_run_side_by_side_and_keep_their_own_counts(contender: Contender) -> None:
    requests = [ask(f"Say hello {'again ' * extra}") for extra in range(4)]
    answers = await asyncio.gather(*(answer(contender.engine, request) for request in requests))
    wanted = [len(await contender.counter.tokenize(request)) for request in requests]
    assert [end_of(events).counts.prompt for events in answers] == wanted


async def test_a_prompt_over_the_context_is_refused_with_both_numbers(contender: Contender) -> None:
    with pytest.raises(ContextTooLong) as caught:
        await answer(contender.engine, ask("word " * 9000))
    assert caught.value.prompt_tokens >= 9000
    assert caught.value.context_length == 8192


async def test_closing_the_stream_stops_the_engine(contender: Contender) -> None:
    story = ask("Tell me a long story. " * 20, SamplingParams(max_tokens=2000, temperature=0, ignore_eos=True))
    async with aclosing(contender.engine.generate(story)) as events:
        first = await anext(events)
        assert isinstance(first, Delta)
        assert first.counts != TokenCounts()
    stopped, _ = await until(contender.counter.stats, lambda stats: not stats.requests_running, within_s=2.0)
    await answer(contender.engine, ask("Hello?", SamplingParams(max_tokens=1, temperature=0)))
    assert (await contender.counter.stats()).completion_tokens_total - stopped.completion_tokens_total <= 2


async def test_what_no_stream_told_is_told_when_asked(contender: Contender) -> None:
    """The sum of what streams told and of this is what the engine counts, whoever left when."""
    engine = contender.engine
    await engine.untold()
    before = (await engine.stats()).completion_tokens_total
    told = 0
    for length in (1, 5, 12):
        story = ask("Tell me a long story. " * 20, SamplingParams(max_tokens=2000, temperature=0, ignore_eos=True))
        last = 0
        async with aclosing(engine.generate(story)) as events:
            async for event in events:
                last = event.counts.completion
                if last >= length:
                    break
        told += last + await engine.untold()
    whole = await answer(engine, ask("Hello?", SamplingParams(max_tokens=8, temperature=0)))
    told += end_of(whole).counts.completion
    assert await engine.untold() == 0
    assert (await engine.stats()).completion_tokens_total - before == told


async def test_health_returns_while_the_engine_answers(contender: Contender) -> None:
    await contender.engine.health()
