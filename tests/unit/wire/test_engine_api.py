import struct

import msgspec
import pytest

from openfm.core.chat import (
    ChatRequest,
    CompletionRequest,
    Delta,
    Finished,
    FinishReason,
    Message,
    NamedTool,
    ResponseFormat,
    Role,
    SamplingParams,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from openfm.core.errors import EngineFailed
from openfm.core.usage import TokenCounts
from openfm.wire.engine_api import CHUNKS, EMBEDDINGS, ChunkReader, chat_body, completion_body, vectors

HI = Message(Role.USER, "Hi")


def read(reader: ChunkReader, *chunks: object) -> list[Delta]:
    found = (reader.read(CHUNKS.decode(msgspec.json.encode(chunk))) for chunk in chunks)
    return [delta for delta in found if delta is not None]


def content(text: str, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}


def test_a_plain_request_asks_for_a_stream_with_usage() -> None:
    assert chat_body(ChatRequest((HI,)), "m") == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 1.0,
        "top_p": 1.0,
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_everything_that_was_asked_is_in_the_body() -> None:
    sampling = SamplingParams(9, 0.5, 0.9, stop=("x",), seed=3, top_logprobs=2, logit_bias={7: -1.0})
    call = Message(Role.ASSISTANT, None, (ToolCall("call_1", "f", "{}"),))
    request = ChatRequest(
        (HI, call, Message(Role.TOOL, "42", tool_call_id="call_1")),
        sampling,
        (Tool("f", None, {"type": "object"}),),
        NamedTool("f"),
        is_parallel_tool_calls_enabled=False,
        response_format=ResponseFormat({"type": "object"}, "shape"),
    )
    body = chat_body(request, "m")
    assert body["max_tokens"] == 9
    assert body["stop"] == ["x"]
    assert body["logit_bias"] == {"7": -1.0}
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert body["parallel_tool_calls"] is False
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "shape", "schema": {"type": "object"}},
    }


def test_tools_that_must_not_be_called_are_not_sent() -> None:
    assert "tools" not in chat_body(ChatRequest((HI,), tools=(Tool("f", None, {}),), tool_choice="none"), "m")


def test_a_completion_takes_token_ids() -> None:
    assert completion_body(CompletionRequest((1, 2)), "m")["prompt"] == [1, 2]


def test_llama_cpp_timings_count_each_delta() -> None:
    reader = ChunkReader()
    progress = {"choices": [{"delta": {"role": "assistant", "content": None}}], "prompt_progress": {"total": 31}}
    timings = {"cache_n": 30, "prompt_n": 1, "predicted_n": 4}
    assert read(reader, progress) == []
    assert reader.counts == TokenCounts(31)
    assert read(reader, content("👩", timings=timings)) == [Delta(TokenCounts(31, 4, 30), "👩")]


def test_without_counts_each_chunk_is_one_token_until_usage_settles() -> None:
    reader = ChunkReader()
    read(reader, content("a"), content("b"))
    assert reader.counts == TokenCounts(0, 2)
    read(reader, {"choices": [{"delta": {}, "finish_reason": "length"}]})
    read(reader, {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}})
    assert reader.finished() == Finished(FinishReason.LENGTH, TokenCounts(5, 3))


def test_vllm_counts_come_with_each_chunk() -> None:
    reader = ChunkReader()
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    assert read(reader, content("ab", usage=usage)) == [Delta(TokenCounts(5, 2, 4), "ab")]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_told_apart_and_counted(name: str) -> None:
    reader = ChunkReader()
    thought = {"choices": [{"delta": {name: "hm"}}]}
    assert read(reader, thought, content("yes")) == [
        Delta(TokenCounts(0, 1, 0, 1), reasoning="hm"),
        Delta(TokenCounts(0, 2, 0, 1), "yes"),
    ]


def test_tool_calls_come_in_pieces() -> None:
    piece = {"index": 1, "id": "call_1", "function": {"name": "f", "arguments": "{"}}
    (delta,) = read(ChunkReader(), {"choices": [{"delta": {"tool_calls": [piece]}}]})
    assert delta.tool_calls == (ToolCallDelta(1, "{", "call_1", "f"),)


def test_new_and_legacy_logprobs_read_the_same() -> None:
    new = {"content": [{"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b", "logprob": -0.5}]}]}
    legacy = {"tokens": ["a"], "token_logprobs": [-1.0], "top_logprobs": [{"b": -0.5}]}
    for form in (new, legacy):
        (delta,) = read(ChunkReader(1), {"choices": [{"text": "a", "logprobs": form}]})
        assert delta.logprobs == (TokenLogprob("a", -1.0, (("b", -0.5),)),)


def test_logprobs_that_nobody_asked_for_are_dropped() -> None:
    chunk = {"choices": [{"text": "a", "logprobs": {"content": [{"token": "a", "logprob": -1.0}]}}]}
    assert read(ChunkReader(), chunk)[0].logprobs == ()


def test_a_stream_that_ends_without_a_reason_is_a_failure() -> None:
    with pytest.raises(EngineFailed):
        ChunkReader().finished()


def test_vectors_come_as_base64_or_numbers_and_are_put_in_order() -> None:
    packed = struct.pack("<2f", 1.0, 2.0)
    body = {"data": [{"index": 1, "embedding": [1.0, 2.0]}, {"index": 0, "embedding": "AACAPwAAAEA="}]}
    assert vectors(EMBEDDINGS.decode(msgspec.json.encode(body))) == (packed, packed)
