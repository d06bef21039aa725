"""Streams: the common subset that every client accepts."""

import json
from typing import Any

import pytest

from openfm.core.chat import Delta, Event, Finished, FinishReason, TokenLogprob, ToolCallDelta
from openfm.core.usage import TokenCounts
from openfm.wire.answers import AnswerHead
from openfm.wire.chunks import DONE, ChatChunks, CompletionChunks, StreamStyle
from openfm.wire.manner import Manner, ReasoningStyle, UsageStyle, usage_style

HEAD = AnswerHead("chatcmpl_1", 1700000000, "model-010125")


def said(text: str, completion: int) -> Delta:
    return Delta(TokenCounts(10, completion), text)


HELLO: list[Event] = [
    said("Hel", 1),
    said("lo ", 2),
    said("ünïcode 🦊", 5),
    Finished(FinishReason.STOP, TokenCounts(10, 5)),
]


def stream(
    events: list[Event], manner: Manner = Manner.DATABRICKS, usage: UsageStyle = UsageStyle.EVERY_CHUNK
) -> list[dict[str, Any]]:
    writer = ChatChunks(HEAD, StreamStyle(manner, usage))
    frames = b"".join(writer.event(0, event, event.counts) for event in events)
    return parsed(frames + writer.end(events[-1].counts))


def parsed(raw: bytes) -> list[dict[str, Any]]:
    assert raw.endswith(DONE)
    blocks = raw.removesuffix(DONE).split(b"\n\n")[:-1]
    assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks)
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


def test_line_56_every_chunk_has_the_same_head_and_a_choice_with_string_content() -> None:
    chunks = stream(HELLO)
    assert {(c["id"], c["object"], c["created"], c["model"]) for c in chunks} == {
        ("chatcmpl_1", "chat.completion.chunk", 1700000000, "model-010125")
    }
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(isinstance(c["choices"][0]["delta"]["content"], str) for c in chunks)
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]


def test_line_57_concatenated_deltas_are_the_text() -> None:
    assert "".join(c["choices"][0]["delta"]["content"] for c in stream(HELLO)) == "Hello ünïcode 🦊"


def test_line_58_usage_is_in_every_chunk_and_cumulative_by_default_on_databricks_routes() -> None:
    usages = [c["usage"]["completion_tokens"] for c in stream(HELLO)]
    assert usages == sorted(usages)
    assert stream(HELLO)[-1]["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


@pytest.mark.parametrize("manner", list(Manner))
def test_line_58_include_usage_gives_openais_form(manner: Manner) -> None:
    *chunks, last = stream(HELLO, manner, usage_style(manner, include_usage=True))
    assert all(c["usage"] is None and c["choices"] for c in chunks)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 15


def test_openai_routes_carry_no_usage_unless_asked() -> None:
    chunks = stream(HELLO, Manner.OPENAI, usage_style(Manner.OPENAI, include_usage=None))
    assert all("usage" not in chunk for chunk in chunks)
    assert chunks[-1]["choices"][0]["delta"] == {}


def test_line_60_a_tool_call_streams_id_and_name_first_then_arguments() -> None:
    counts = TokenCounts(10, 4)
    chunks = stream(
        [
            Delta(counts, tool_calls=(ToolCallDelta(0, "", "call_1", "get_weather"),)),
            Delta(counts, tool_calls=(ToolCallDelta(0, '{"city": "Tokyo"}'),)),
            Finished(FinishReason.TOOL_CALLS, counts),
        ]
    )
    deltas = [c["choices"][0]["delta"] for c in chunks]
    assert deltas[0] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
        ],
    }
    assert deltas[1] == {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Tokyo"}'}}]}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_line_53_reasoning_is_text_or_blocks_by_setting() -> None:
    event = Delta(TokenCounts(10, 1, reasoning=1), reasoning="hm")

    def delta(style: ReasoningStyle) -> dict[str, Any]:
        writer = ChatChunks(HEAD, StreamStyle(Manner.DATABRICKS, UsageStyle.EVERY_CHUNK, style))
        chunk = parsed(writer.event(0, event, event.counts) + writer.end(event.counts))[-1]
        assert chunk["usage"]["reasoning_tokens"] == 1
        found: dict[str, Any] = chunk["choices"][0]["delta"]
        return found

    assert delta(ReasoningStyle.TEXT) == {"content": "", "reasoning_content": "hm"}
    assert delta(ReasoningStyle.BLOCKS)["content"][0]["summary"] == [{"type": "summary_text", "text": "hm"}]


def test_line_51_logprobs_are_in_openais_layout() -> None:
    event = Delta(TokenCounts(10, 1), "Hi", logprobs=(TokenLogprob("Hi", -0.5, (("Hi", -0.5), ("Ho", -1.5))),))
    chunk = stream([event, Finished(FinishReason.STOP, TokenCounts(10, 1))])[1]
    assert chunk["choices"][0]["logprobs"]["content"] == [
        {
            "token": "Hi",
            "logprob": -0.5,
            "bytes": [72, 105],
            "top_logprobs": [
                {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]},
                {"token": "Ho", "logprob": -1.5, "bytes": [72, 111]},
            ],
        }
    ]


def test_line_48_several_answers_are_interleaved_each_with_its_own_role() -> None:
    writer = ChatChunks(HEAD, StreamStyle(Manner.DATABRICKS, UsageStyle.EVERY_CHUNK))
    counts = TokenCounts(10, 2)
    raw = writer.event(1, said("b", 1), counts) + writer.event(0, said("a", 1), counts)
    assert [(c["choices"][0]["index"], c["choices"][0]["delta"].get("role")) for c in parsed(raw + DONE)] == [
        (1, "assistant"),
        (1, None),
        (0, "assistant"),
        (0, None),
    ]


def test_line_65_echo_comes_first_and_suffix_last() -> None:
    writer = CompletionChunks(HEAD, StreamStyle(Manner.DATABRICKS, UsageStyle.EVERY_CHUNK), ("Once ",), "!")
    raw = b"".join(writer.event(0, event, event.counts) for event in HELLO) + writer.end(TokenCounts(10, 5))
    chunks = parsed(raw)
    assert "".join(c["choices"][0]["text"] for c in chunks) == "Once Hello ünïcode 🦊!"
    assert {c["object"] for c in chunks} == {"text_completion"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
