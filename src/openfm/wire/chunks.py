"""Streams: events -> server-sent events, from prepared templates.

Everything that does not change within an answer is encoded once; an ordinary token costs one JSON string and one
join. What every client accepts is the common subset: only `data:` lines, never an empty `choices` (but for the
usage chunk that `include_usage` asks for), a string `delta.content` in every text chunk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from openfm.core.chat import Delta, Event, Finished, ToolCallDelta
from openfm.core.usage import TokenCounts
from openfm.wire.answers import AnswerHead, chat_logprobs, completion_logprobs, reasoning_block, usage_body
from openfm.wire.explanation import Explanation
from openfm.wire.manner import Manner, ReasoningStyle, UsageStyle

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class StreamStyle:
    """What a route family and a request make of the same events."""

    manner: Manner
    usage: UsageStyle
    reasoning: ReasoningStyle = ReasoningStyle.TEXT


class ChunkWriter:
    """The parts that chat and completion chunks share."""

    def __init__(self, head: AnswerHead, kind: str, style: StreamStyle) -> None:
        self._style = style
        opening = {"id": head.id, "object": kind, "created": head.created, "model": head.model}
        self._open = b"data: " + _encode(opening)[:-1]
        self._choice = self._open + b',"choices":[{"index":'
        self._counts_each_chunk = style.usage is UsageStyle.EVERY_CHUNK
        self._end = b'}],"usage":null}\n\n' if style.usage is UsageStyle.FINAL_CHUNK else b"}]}\n\n"

    def _close(self, counts: TokenCounts) -> bytes:
        if self._counts_each_chunk:
            return b'}],"usage":' + _encode(usage_body(counts)) + b"}\n\n"
        return self._end

    def end(self, counts: TokenCounts, explanation: Explanation | None = None) -> bytes:
        """What follows the last event: the usage chunk and the explanation if asked for, and `[DONE]`."""
        last = b""
        if self._style.usage is UsageStyle.FINAL_CHUNK:
            last = self._open + b',"choices":[],"usage":' + _encode(usage_body(counts)) + b"}\n\n"
        if explanation is not None:
            last += self._open + b',"choices":[],"openfm":' + _encode(explanation) + b"}\n\n"
        return last + DONE


class ChatChunks(ChunkWriter):
    """Chunks of a chat stream with one or more interleaved answers."""

    def __init__(self, head: AnswerHead, style: StreamStyle) -> None:
        super().__init__(head, "chat.completion.chunk", style)
        self._begun: set[int] = set()
        self._last_delta = b"{}" if style.manner is Manner.OPENAI else b'{"content":""}'

    def event(self, index: int, event: Event, counts: TokenCounts) -> bytes:
        """The chunks of one event of answer `index`; `counts` are those of the whole request so far."""
        first = b""
        role: dict[str, object] = {}
        if index not in self._begun:
            self._begun.add(index)
            if isinstance(event, Delta) and event.tool_calls and not event.text:
                role = {"role": "assistant", "content": None}
            else:
                first = self._chunk(index, b'{"role":"assistant","content":""}', b"null", b"null", counts)
        if isinstance(event, Finished):
            return first + self._chunk(index, self._last_delta, _encode(event.reason), b"null", counts)
        logprobs = _encode(chat_logprobs(event.logprobs)) if event.logprobs else b"null"
        if event.text:
            first += self._chunk(index, b'{"content":' + _encode(event.text) + b"}", b"null", logprobs, counts)
        if event.reasoning:
            first += self._chunk(index, _encode(self._reasoning(event.reasoning)), b"null", b"null", counts)
        if event.tool_calls:
            delta = role | {"tool_calls": [_tool_call(piece) for piece in event.tool_calls]}
            first += self._chunk(index, _encode(delta), b"null", b"null", counts)
        return first

    def _chunk(self, index: int, delta: bytes, reason: bytes, logprobs: bytes, counts: TokenCounts) -> bytes:
        return b"".join(
            (
                self._choice,
                b"%d" % index,
                b',"delta":',
                delta,
                b',"finish_reason":',
                reason,
                b',"logprobs":',
                logprobs,
                self._close(counts),
            )
        )

    def _reasoning(self, text: str) -> dict[str, object]:
        if self._style.reasoning is ReasoningStyle.BLOCKS:
            return {"content": [reasoning_block(text)]}
        return {"content": "", "reasoning_content": text}


class CompletionChunks(ChunkWriter):
    """Chunks of a completion stream. `echoes` has the prompt to repeat before each answer, `suffix` follows each."""

    def __init__(self, head: AnswerHead, style: StreamStyle, echoes: Sequence[str], suffix: str) -> None:
        super().__init__(head, "text_completion", style)
        self._echoes = dict(enumerate(echoes))
        self._suffix = suffix
        self._offsets: dict[int, int] = {}

    def event(self, index: int, event: Event, counts: TokenCounts) -> bytes:
        """The chunks of one event of answer `index`; `counts` are those of the whole request so far."""
        echo = self._echoes.pop(index, "")
        first = self._chunk(index, echo, b"null", b"null", counts) if echo else b""
        if isinstance(event, Finished):
            return first + self._chunk(index, self._suffix, _encode(event.reason), b"null", counts)
        if not event.text:
            return first
        offset = self._offsets.get(index, 0)
        self._offsets[index] = offset + len(event.text)
        logprobs = _encode(completion_logprobs(event.logprobs, offset)) if event.logprobs else b"null"
        return first + self._chunk(index, event.text, b"null", logprobs, counts)

    def _chunk(self, index: int, text: str, reason: bytes, logprobs: bytes, counts: TokenCounts) -> bytes:
        return b"".join(
            (
                self._choice,
                b"%d" % index,
                b',"text":',
                _encode(text),
                b',"finish_reason":',
                reason,
                b',"logprobs":',
                logprobs,
                self._close(counts),
            )
        )


def _tool_call(piece: ToolCallDelta) -> dict[str, object]:
    function: dict[str, object] = {"arguments": piece.arguments}
    body: dict[str, object] = {"index": piece.index}
    if piece.id is not None:
        body |= {"id": piece.id, "type": "function"}
    if piece.name is not None:
        function = {"name": piece.name} | function
    return body | {"function": function}
