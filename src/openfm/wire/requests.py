"""Request bodies of the data plane: bytes -> checked msgspec structs -> core requests.

Bounds live in the types, so that the decoder's own message names field and bound. Which fields exist at all, and
what happens to each, is in `fields.py`.
"""

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from openfm.core.errors import InvalidRequest
from openfm.wire import fields

_MAX_TOKEN_COUNT = 2**31 - 1

TokenCount = Annotated[int, Meta(ge=1, le=_MAX_TOKEN_COUNT)]
TokenId = Annotated[int, Meta(ge=0, le=_MAX_TOKEN_COUNT)]
TokenIds = Annotated[list[TokenId], Meta(min_length=1)]
Batch = str | list[str | TokenId | TokenIds]  # a text, texts, token ids, or several arrays of them
StopString = Annotated[str, Meta(min_length=1, max_length=256)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
_NO_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]*\Z"  # what is kept with usage is read by people, and PostgreSQL takes no NUL
ShortText = Annotated[str, Meta(max_length=256, pattern=_NO_CONTROL)]
TagKey = Annotated[str, Meta(min_length=1, max_length=256, pattern=_NO_CONTROL)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]


class StreamOptions(msgspec.Struct):
    """OpenAI's `stream_options`."""

    include_usage: bool | None = None


class ContentPart(msgspec.Struct):
    """One part of a content list; only text parts can be answered by the models here."""

    type: str
    text: str | None = None


class FunctionCall(msgspec.Struct):
    """The function of a tool call in the history."""

    name: Name
    arguments: str = ""


class ToolCallBody(msgspec.Struct):
    """A tool call of the history."""

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class MessageBody(msgspec.Struct):
    """One message, as OpenAI and Databricks write it."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[ToolCallBody] | None = None
    tool_call_id: str | None = None
    name: str | None = None


class FunctionBody(msgspec.Struct):
    """A function that the model may call."""

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_.-]{1,128}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ToolBody(msgspec.Struct):
    """A tool; functions are the only kind."""

    function: FunctionBody
    type: Literal["function"] = "function"


class NamedFunction(msgspec.Struct):
    """The name inside a forced tool choice."""

    name: Name


class NamedToolChoice(msgspec.Struct):
    """`tool_choice` that forces one function."""

    function: NamedFunction
    type: Literal["function"] = "function"


class JsonSchemaBody(msgspec.Struct):
    """The `json_schema` of a response format."""

    name: Name = "response"
    schema: dict[str, Any] | None = None


class ResponseFormatBody(msgspec.Struct):
    """The answer's format."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaBody | None = None


class Tracked(msgspec.Struct, kw_only=True):
    """Fields that every route has."""

    model: str | None = None
    client_request_id: ShortText | None = None
    usage_context: Annotated[dict[TagKey, ShortText], Meta(max_length=64)] | None = None


class SamplingBody(Tracked, kw_only=True):
    """Fields of chat and completions alike."""

    max_tokens: TokenCount | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: TokenCount | None = None
    stop: StopString | Annotated[list[StopString], Meta(max_length=16)] | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Annotated[dict[str, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=1024)] | None = None
    ignore_eos: bool | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority"] | None = None


class ChatBody(SamplingBody, kw_only=True):
    """A chat request. `prompt` is there to tell completions apart on `/invocations`."""

    messages: Annotated[list[MessageBody], Meta(min_length=1, max_length=4096)] | None = None
    prompt: Any = None
    max_completion_tokens: TokenCount | None = None
    tools: Annotated[list[ToolBody], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormatBody | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    thinking: Any = None
    functions: Any = None
    function_call: Any = None
    audio: Any = None
    modalities: Any = None
    web_search_options: Any = None
    chat_template: Any = None
    chat_template_kwargs: Any = None


class CompletionBody(SamplingBody, kw_only=True):
    """A completion request."""

    prompt: Batch | None = None
    echo: bool | None = None
    suffix: str | None = None
    use_raw_prompt: bool | None = None
    error_behavior: Literal["truncate", "error"] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    best_of: Any = None


class EmbeddingBody(Tracked, kw_only=True):
    """An embedding request."""

    input: Batch | None = None
    instruction: Annotated[str, Meta(max_length=1024)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Any = None


BodyT = TypeVar("BodyT", ChatBody, CompletionBody, EmbeddingBody)


def decode(raw: bytes, kind: msgspec.json.Decoder[BodyT], table: tuple[fields.Field, ...], *, is_strict: bool) -> BodyT:
    """The checked body. Raises `InvalidRequest` naming the field and what it must be."""
    try:
        body = kind.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{_sentence(error)}.", param=_param(str(error))) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from None
    if is_strict:
        fields.refuse_unknown(raw, table)
    fields.refuse_unsupported({name: getattr(body, name, None) for name in body.__struct_fields__}, table)
    return body


class Glimpse(msgspec.Struct):
    """What can be told of a body that is not understood."""

    model: str | None = None
    client_request_id: str | None = None


_GLIMPSE = msgspec.json.Decoder(Glimpse)


def glimpse(raw: bytes) -> Glimpse:
    """Whom the body is for, as far as it can be read."""
    try:
        return _GLIMPSE.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Glimpse()


def _sentence(error: msgspec.ValidationError) -> str:
    said = str(error).replace(f"matching regex {_NO_CONTROL!r}", "without control characters")
    return said.replace(" - at `$", " at `").replace("`.", "`")


def _param(message: str) -> str | None:
    """The field in the decoder's words: `$.messages[0].role` -> messages.role."""
    _, _, path = message.partition("`$.")
    return re.sub(r"\[[^]]*\]", "", path.rstrip("`")) or None
