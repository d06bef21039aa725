"""Checked request bodies -> core requests: what the types of `requests.py` cannot say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from openfm.core.chat import (
    ChatRequest,
    CompletionRequest,
    Message,
    NamedTool,
    ResponseFormat,
    Role,
    SamplingParams,
    Tool,
    ToolCall,
    ToolChoice,
)
from openfm.core.embedding import EmbeddingRequest
from openfm.core.errors import InvalidRequest
from openfm.core.job import GenerationJob, OverlongPrompt, PromptForm, ServiceTier
from openfm.core.model import Task
from openfm.wire.manner import Manner
from openfm.wire.requests import (
    ChatBody,
    CompletionBody,
    ContentPart,
    EmbeddingBody,
    MessageBody,
    NamedToolChoice,
    ResponseFormatBody,
    SamplingBody,
    ToolBody,
)

_ANY_OBJECT: dict[str, object] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much one request may carry. Defaults are Databricks' pay-per-token limits."""

    prompts: int = 16
    embedding_inputs: int = 150


def chat_job(body: ChatBody, *, is_strict: bool) -> GenerationJob:
    """The chat request `n` times over; each answer has a seed of its own."""
    if body.messages is None:
        raise InvalidRequest("messages is missing: send a list of messages.", param="messages")
    answers = _answers(body, is_strict=is_strict)
    tools = _tools(body.tools or [])
    request = ChatRequest(
        messages=normalized([_message(m, i) for i, m in enumerate(body.messages)], is_strict=is_strict),
        sampling=_sampling(body, _one_limit(body), _chat_logprobs(body)),
        tools=tools,
        tool_choice=_tool_choice(body, tools),
        is_parallel_tool_calls_enabled=body.parallel_tool_calls is not False,
        response_format=_response_format(body.response_format),
        reasoning_effort=body.reasoning_effort,
    )
    requests = tuple(replace(request, sampling=_reseeded(request.sampling, i)) for i in range(answers))
    return GenerationJob(Task.CHAT, requests, answers, tier=_tier(body))


def completion_job(body: CompletionBody, manner: Manner, limits: BatchLimits, *, is_strict: bool) -> GenerationJob:
    """Every prompt `n` times over, prompt by prompt."""
    prompts = _prompts(body, limits)
    answers = _answers(body, is_strict=is_strict)
    if body.stream and len(prompts) > 1:
        raise InvalidRequest("A stream takes one prompt. Send the prompts one by one, or set stream to false.")
    if body.echo and (body.logprobs is not None or not isinstance(prompts[0], str)):
        raise InvalidRequest("echo takes a text prompt and no logprobs.", param="echo")
    if manner is Manner.OPENAI and body.suffix:
        raise InvalidRequest(
            "suffix means filling in the middle on this route, which no model here can do. "
            "The route /serving-endpoints/completions appends it to every completion.",
            param="suffix",
        )
    sampling = _sampling(body, body.max_tokens, body.logprobs)
    is_raw = manner is Manner.OPENAI or body.use_raw_prompt is True or not isinstance(prompts[0], str)
    return GenerationJob(
        task=Task.COMPLETIONS,
        requests=tuple(CompletionRequest(p, _reseeded(sampling, i)) for p in prompts for i in range(answers)),
        answers_per_prompt=answers,
        prompt_form=PromptForm.RAW if is_raw else PromptForm.TEMPLATED,
        overlong_prompt=OverlongPrompt(body.error_behavior or "error"),
        tier=_tier(body),
    )


def embedding_request(body: EmbeddingBody, limits: BatchLimits) -> EmbeddingRequest:
    """The inputs as a batch, whatever their spelling."""
    if body.input is None:
        raise InvalidRequest("input is missing: send a string or a list of strings.", param="input")
    inputs = _unbatched(body.input, "input")
    if len(inputs) > limits.embedding_inputs:
        raise InvalidRequest(
            f"input has {len(inputs)} texts; up to {limits.embedding_inputs} fit one request.", param="input"
        )
    if body.instruction and not isinstance(inputs[0], str):
        raise InvalidRequest("instruction needs texts: token ids cannot be prefixed.", param="instruction")
    return EmbeddingRequest(inputs, body.instruction)


def normalized(messages: list[Message], *, is_strict: bool) -> tuple[Message, ...]:
    """Messages in the order every template knows: one system message first, no two plain user turns in a row.

    Lenient servers join what is repeated (blank line between); strict ones refuse it, as old endpoints did.
    """
    systems = [m for m in messages if m.role is Role.SYSTEM]
    if is_strict and (len(systems) > 1 or (systems and messages[0] is not systems[0])):
        raise InvalidRequest("A system message can only be used once, as the first message.", param="messages")
    result = [] if not systems else [_joined(systems)]
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        if result and _may_join(result[-1], message):
            if is_strict:
                raise InvalidRequest(f"Two {message.role} messages in a row.", param="messages")
            result[-1] = _joined([result[-1], message])
        else:
            result.append(message)
    return tuple(result)


def _may_join(before: Message, after: Message) -> bool:
    return (
        before.role is after.role
        and after.role in (Role.USER, Role.ASSISTANT)
        and not before.tool_calls
        and not after.tool_calls
        and before.name == after.name
    )


def _joined(messages: list[Message]) -> Message:
    return replace(messages[0], content="\n\n".join(m.content or "" for m in messages))


def _message(body: MessageBody, position: int) -> Message:
    where = f"messages[{position}]"
    role = Role.SYSTEM if body.role == "developer" else Role(body.role)
    content = _text(body.content, where) if isinstance(body.content, list) else body.content
    if body.tool_calls and role is not Role.ASSISTANT:
        raise InvalidRequest("Only assistant messages have tool_calls.", param=f"{where}.tool_calls")
    if content is None and not body.tool_calls:
        raise InvalidRequest("content is missing: send a string.", param=f"{where}.content")
    if role is Role.TOOL and body.tool_call_id is None:
        raise InvalidRequest("A tool message needs the tool_call_id it answers.", param=f"{where}.tool_call_id")
    calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in body.tool_calls or ())
    return Message(role, content, calls, body.tool_call_id, body.name)


def _text(parts: list[ContentPart], where: str) -> str:
    texts = []
    for number, part in enumerate(parts):
        if part.type == "reasoning":  # our own answers, sent back as history
            continue
        if part.type != "text" or part.text is None:
            raise InvalidRequest(
                f"Content of type '{part.type}' is not supported by this model; send parts of type 'text'.",
                param=f"{where}.content[{number}]",
            )
        texts.append(part.text)
    return "\n".join(texts)


def _answers(body: SamplingBody, *, is_strict: bool) -> int:
    answers = body.n or 1
    if is_strict and body.stream and answers > 1:
        raise InvalidRequest('Bad request: parameter "n" must be equal to 1 for streaming mode', param="n")
    return answers


def _one_limit(body: ChatBody) -> int | None:
    one, other = body.max_tokens, body.max_completion_tokens
    if one is not None and other is not None and one != other:
        raise InvalidRequest("max_tokens and max_completion_tokens differ; send one of them.", param="max_tokens")
    return other if one is None else one


def _tier(body: SamplingBody) -> ServiceTier:
    return ServiceTier.PRIORITY if body.service_tier == "priority" else ServiceTier.DEFAULT


def _chat_logprobs(body: ChatBody) -> int | None:
    if body.top_logprobs is not None and not body.logprobs:
        raise InvalidRequest("top_logprobs needs logprobs: true.", param="top_logprobs")
    return (body.top_logprobs or 0) if body.logprobs else None


def _sampling(body: SamplingBody, max_tokens: int | None, top_logprobs: int | None) -> SamplingParams:
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return SamplingParams(
        max_tokens=max_tokens,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=body.top_k,
        stop=stop,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        seed=body.seed,
        top_logprobs=top_logprobs,
        logit_bias=_logit_bias(body.logit_bias or {}),
        ignore_eos=body.ignore_eos is True,
    )


def _reseeded(sampling: SamplingParams, answer: int) -> SamplingParams:
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + answer)


def _logit_bias(given: dict[str, float]) -> dict[int, float]:
    if any(not (key.isascii() and key.isdigit() and len(key) <= 10) for key in given):
        raise InvalidRequest("The keys of logit_bias are token ids.", param="logit_bias")
    return {int(key): bias for key, bias in given.items()}


def _tools(bodies: list[ToolBody]) -> tuple[Tool, ...]:
    tools = []
    for body in bodies:
        function = body.function
        parameters = function.parameters or _ANY_OBJECT
        tools.append(Tool(function.name, function.description, parameters))
    if len({tool.name for tool in tools}) < len(tools):
        raise InvalidRequest("Two tools have the same name.", param="tools")
    return tuple(tools)


def _tool_choice(body: ChatBody, tools: tuple[Tool, ...]) -> ToolChoice:
    choice = body.tool_choice
    if choice is None:
        return "auto"
    if isinstance(choice, NamedToolChoice):
        if choice.function.name not in {tool.name for tool in tools}:
            raise InvalidRequest(f"tool_choice names '{choice.function.name}', which is no tool.", param="tool_choice")
        return NamedTool(choice.function.name)
    if choice == "required" and not tools:
        raise InvalidRequest("tool_choice 'required' needs tools.", param="tool_choice")
    return choice


def _response_format(body: ResponseFormatBody | None) -> ResponseFormat | None:
    if body is None or body.type == "text":
        return None
    if body.type == "json_object":
        return ResponseFormat()
    if body.json_schema is None or body.json_schema.schema is None:
        raise InvalidRequest("json_schema.schema is missing.", param="response_format.json_schema.schema")
    return ResponseFormat(body.json_schema.schema, body.json_schema.name)


def _prompts(body: CompletionBody, limits: BatchLimits) -> tuple[str, ...] | tuple[tuple[int, ...], ...]:
    if body.prompt is None:
        raise InvalidRequest("prompt is missing: send a string or a list of strings.", param="prompt")
    prompts = _unbatched(body.prompt, "prompt")
    if len(prompts) > limits.prompts:
        raise InvalidRequest(
            f"prompt has {len(prompts)} prompts; up to {limits.prompts} fit one request.", param="prompt"
        )
    return prompts


def _unbatched(
    given: str | Sequence[str | int | list[int]], param: str
) -> tuple[str, ...] | tuple[tuple[int, ...], ...]:
    """The texts, or the arrays of token ids, that a batch holds, whatever its spelling."""
    items: Sequence[str | int | list[int]] = [given] if isinstance(given, str) else given
    texts = tuple(item for item in items if isinstance(item, str))
    ids = tuple(item for item in items if isinstance(item, int))
    arrays = tuple(tuple(item) for item in items if isinstance(item, list))
    if not items or not all(texts):
        raise InvalidRequest(f"{param} must not be empty: every text needs at least one character.", param=param)
    if len(items) not in (len(texts), len(ids), len(arrays)):
        raise InvalidRequest(f"{param} mixes texts and token ids; send one kind.", param=param)
    return texts or ((ids,) if ids else arrays)
