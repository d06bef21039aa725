"""Generation: what an engine is asked, and the events it answers with.

One request is one sequence: several answers (`n`) or several prompts are several requests, which the
gateway runs side by side. So every engine is as simple as it can be, and token counts are exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from openfm.core.usage import TokenCounts


class Role(StrEnum):
    """Who speaks. `developer` on the wire is `system` (OpenAI's newer name for it)."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model made. `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `content` may be None only beside tool calls."""

    role: Role
    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call. `parameters` is its JSON schema."""

    name: str
    description: str | None
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NamedTool:
    """`tool_choice` that forces the function `name`."""

    name: str


ToolChoice = Literal["none", "auto", "required"] | NamedTool


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """JSON the answer must be: any object when `schema` is None."""

    schema: Mapping[str, object] | None = None
    name: str = "response"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are drawn.

    `max_tokens` None means until the context ends; `top_logprobs` None means no log probabilities, 0 those of
    the drawn tokens alone. Ranges are checked on the wire (`wire/requests.py`).
    """

    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    top_logprobs: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    ignore_eos: bool = False


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Messages to continue with one assistant turn."""

    messages: tuple[Message, ...]
    sampling: SamplingParams = SamplingParams()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    is_parallel_tool_calls_enabled: bool = True
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Text, or token ids, to continue as it stands: no template."""

    prompt: str | tuple[int, ...]
    sampling: SamplingParams = SamplingParams()


GenerationRequest = ChatRequest | CompletionRequest


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """Log probability (natural) of a drawn token, and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the `index`-th tool call: the first piece has `id` and `name`."""

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """What one engine step added. `counts` is cumulative; characters are never split.

    `is_followed`: the next event is here already, so that both can be sent at once.
    """

    counts: TokenCounts
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    is_followed: bool = field(default=False, compare=False)


class FinishReason(StrEnum):
    """Why generation ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every generation, with the engine's exact counts."""

    reason: FinishReason
    counts: TokenCounts


Event = Delta | Finished
