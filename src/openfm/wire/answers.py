"""Answers that are not streams: folded events -> one JSON body."""

import base64
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from openfm.core.chat import Delta, Event, Finished, FinishReason, TokenLogprob
from openfm.core.embedding import EmbeddingResult
from openfm.core.usage import TokenCounts
from openfm.wire.manner import Manner, ReasoningStyle


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """What every body and chunk of one answer repeats. `created` is in seconds since the epoch."""

    id: str
    created: int
    model: str


@dataclass(slots=True)
class Choice:
    """One sequence, folded."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def add(self, event: Event) -> None:
        """Fold one more event in."""
        if isinstance(event, Finished):
            self.finish_reason = event.reason
            return
        self.text.append(event.text)
        self.reasoning.append(event.reasoning)
        self.logprobs.extend(event.logprobs)
        self._add_calls(event)

    def _add_calls(self, delta: Delta) -> None:
        for piece in delta.tool_calls:
            call = self.calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
            call["id"] = piece.id or call["id"]
            call["name"] = piece.name or call["name"]
            call["arguments"] += piece.arguments


def usage_body(counts: TokenCounts) -> dict[str, object]:
    """The `usage` object of generations."""
    body: dict[str, object] = {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.total,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
    }
    if counts.reasoning:
        body["reasoning_tokens"] = counts.reasoning
        body["completion_tokens_details"] = {"reasoning_tokens": counts.reasoning}
    return body


def chat_body(
    head: AnswerHead, choices: Sequence[Choice], counts: TokenCounts, reasoning_style: ReasoningStyle
) -> bytes:
    """A `chat.completion`."""
    return msgspec.json.encode(
        {
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": head.model,
            "choices": [
                {
                    "index": index,
                    "message": _message(choice, reasoning_style),
                    "finish_reason": choice.finish_reason,
                    "logprobs": chat_logprobs(choice.logprobs),
                }
                for index, choice in enumerate(choices)
            ],
            "usage": usage_body(counts),
        }
    )


def _message(choice: Choice, reasoning_style: ReasoningStyle) -> dict[str, object]:
    text, reasoning = "".join(choice.text), "".join(choice.reasoning)
    message: dict[str, object] = {"role": "assistant", "content": text}
    if choice.calls:
        message["content"] = text or None
        message["tool_calls"] = [
            {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
            for _, c in sorted(choice.calls.items())
        ]
    if reasoning and reasoning_style is ReasoningStyle.BLOCKS:
        message["content"] = [reasoning_block(reasoning), {"type": "text", "text": text}]
    elif reasoning:
        message["reasoning_content"] = reasoning
    return message


def reasoning_block(text: str) -> dict[str, object]:
    """Databricks' content block for a model's thoughts."""
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


def completion_body(head: AnswerHead, choices: Sequence[Choice], counts: TokenCounts) -> bytes:
    """A `text_completion`; texts come with echo and suffix already in them."""
    return msgspec.json.encode(
        {
            "id": head.id,
            "object": "text_completion",
            "created": head.created,
            "model": head.model,
            "choices": [
                {
                    "index": index,
                    "text": "".join(choice.text),
                    "finish_reason": choice.finish_reason,
                    "logprobs": completion_logprobs(choice.logprobs),
                }
                for index, choice in enumerate(choices)
            ],
            "usage": usage_body(counts),
        }
    )


def embedding_body(head: AnswerHead, result: EmbeddingResult, encoding: str, manner: Manner) -> bytes:
    """A list of embeddings; OpenAI's own has no id."""
    body: dict[str, object] = {
        "object": "list",
        "model": head.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _vector(packed, encoding)}
            for index, packed in enumerate(result.vectors)
        ],
        "usage": {"prompt_tokens": result.prompt_tokens, "total_tokens": result.prompt_tokens},
    }
    if manner is not Manner.OPENAI:
        body = {"id": head.id} | body
    return msgspec.json.encode(body)


def _vector(packed: bytes, encoding: str) -> object:
    if encoding == "base64":
        return base64.b64encode(packed).decode()
    return array("f", packed).tolist()


def chat_logprobs(logprobs: Sequence[TokenLogprob]) -> Mapping[str, object] | None:
    """OpenAI's chat layout, or None when none were asked for."""
    if not logprobs:
        return None
    return {
        "content": [
            {
                **_token(item.token, item.logprob),
                "top_logprobs": [_token(token, logprob) for token, logprob in item.top],
            }
            for item in logprobs
        ],
        "refusal": None,
    }


def _token(token: str, logprob: float) -> dict[str, object]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def completion_logprobs(logprobs: Sequence[TokenLogprob], text_offset: int = 0) -> Mapping[str, object] | None:
    """OpenAI's completion layout; offsets count characters of the completion."""
    if not logprobs:
        return None
    offsets = []
    for item in logprobs:
        offsets.append(text_offset)
        text_offset += len(item.token)
    return {
        "tokens": [item.token for item in logprobs],
        "token_logprobs": [item.logprob for item in logprobs],
        "top_logprobs": [dict(item.top) for item in logprobs],
        "text_offset": offsets,
    }
