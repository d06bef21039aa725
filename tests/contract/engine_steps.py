"""What the engine suites do again and again."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

from openfm.core.chat import ChatRequest, Delta, Event, Finished, GenerationRequest, Message, Role, SamplingParams
from openfm.engines.base import Engine, EngineStats

BREATH_S = 0.03
SYSTEM = Message(Role.SYSTEM, "You are a helpful assistant.")
GREEDY = SamplingParams(max_tokens=24, temperature=0)


def show(measured: str) -> None:
    """Print a figure (`pytest -s` shows it)."""
    sys.stdout.write(f"\n{measured}\n")


def ask(text: str, sampling: SamplingParams = GREEDY) -> ChatRequest:
    """A chat request with one question."""
    return ChatRequest((SYSTEM, Message(Role.USER, text)), sampling)


async def answer(engine: Engine, request: GenerationRequest) -> list[Event]:
    """All events of one answer."""
    async with aclosing(engine.generate(request)) as events:
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    """The answer's text."""
    return "".join(event.text for event in events if isinstance(event, Delta))


def arguments_of(events: list[Event]) -> str:
    """The first tool call's arguments."""
    deltas = [event for event in events if isinstance(event, Delta)]
    return "".join(call.arguments for event in deltas for call in event.tool_calls)


def end_of(events: list[Event]) -> Finished:
    """The last event, which every answer has exactly once."""
    last = events[-1]
    assert isinstance(last, Finished)
    assert not any(isinstance(event, Finished) for event in events[:-1])
    return last


async def until(
    stats: Callable[[], Coroutine[Any, Any, EngineStats]], holds: Callable[[EngineStats], bool], within_s: float
) -> tuple[EngineStats, float]:
    """Ask for the engine's counters until `holds`; the counters, and how long it took."""
    began = time.monotonic()
    while True:
        seen = await stats()
        took_s = time.monotonic() - began
        if holds(seen):
            return seen, took_s
        assert took_s < within_s, seen
        # A breath: llama.cpp answers counters before it goes on with its batch, so asking without a pause starves it.
        await asyncio.sleep(BREATH_S)
