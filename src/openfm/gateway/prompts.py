"""What the model is really asked: system prompt, template and room for the answer.

Pure but for asking the engine to count tokens, which happens only when the prompt might not fit.
"""

import json
from dataclasses import replace

from openfm.core.chat import ChatRequest, CompletionRequest, GenerationRequest, Message, Role
from openfm.core.embedding import EmbeddingRequest
from openfm.core.errors import ContextTooLong, NotImplementedHere
from openfm.core.job import GenerationJob, OverlongPrompt, PromptForm
from openfm.core.model import ModelProfile, Task
from openfm.core.usage import Demand
from openfm.engines.base import Engine

_TEMPLATE_TOKENS_PER_MESSAGE = 16


def prepared(request: GenerationRequest, model: ModelProfile, form: PromptForm) -> GenerationRequest:
    """The request with the model's default system prompt or prompt template applied."""
    if isinstance(request, ChatRequest):
        return _with_system_prompt(request, model)
    if form is PromptForm.RAW or not isinstance(request.prompt, str):
        return request
    if model.task is Task.CHAT:
        chat = ChatRequest((Message(Role.USER, request.prompt),), request.sampling)
        return _with_system_prompt(chat, model)
    if model.prompt_template is None:
        return request
    return replace(request, prompt=model.prompt_template.replace("{prompt}", request.prompt))


def _with_system_prompt(request: ChatRequest, model: ModelProfile) -> ChatRequest:
    if model.default_system_prompt is None or request.messages[0].role is Role.SYSTEM:
        return request
    system = Message(Role.SYSTEM, model.default_system_prompt)
    return replace(request, messages=(system, *request.messages))


def most_tokens(request: GenerationRequest) -> int:
    """An upper bound of the prompt's tokens: no tokenizer makes more tokens than there are bytes."""
    if isinstance(request, CompletionRequest):
        return 1 + (len(request.prompt.encode()) if isinstance(request.prompt, str) else len(request.prompt))
    bound = _TEMPLATE_TOKENS_PER_MESSAGE
    for message in request.messages:
        bound += _TEMPLATE_TOKENS_PER_MESSAGE + len((message.content or "").encode())
        bound += sum(len(call.name.encode()) + len(call.arguments.encode()) + 64 for call in message.tool_calls)
    return bound


def most_embedding_tokens(request: EmbeddingRequest, model: ModelProfile) -> int:
    """An upper bound of the tokens of all inputs, each with the instruction before it and two marks around it."""
    extra = 2 + len((request.instruction or "").encode())
    lengths = (len(text.encode() if isinstance(text, str) else text) for text in request.inputs)
    return sum(min(extra + length, model.context_length) for length in lengths)


def demand_of(job: GenerationJob, model: ModelProfile) -> Demand:
    """The most that the job's sequences can use; answers to the same prompt share it. No prompt is without a token."""
    requests = [prepared(request, model, job.prompt_form) for request in job.requests]
    prompts = [min(most_tokens(request) + _most_tool_tokens(request), model.context_length) for request in requests]
    completion = sum(request.sampling.max_tokens or max(1, model.context_length - 1) for request in requests)
    is_open_ended = any(request.sampling.max_tokens is None for request in requests)
    prompts = prompts[:: job.answers_per_prompt]
    return Demand(sum(prompts), completion, is_open_ended, least_prompt=len(prompts))


def _most_tool_tokens(request: GenerationRequest) -> int:
    """A template may write the tools out with more white space than they came with."""
    if not isinstance(request, ChatRequest):
        return 0
    return sum(
        _TEMPLATE_TOKENS_PER_MESSAGE
        + len((tool.name + (tool.description or "")).encode())
        + 2 * len(json.dumps(tool.parameters, ensure_ascii=False).encode())
        for tool in request.tools
    )


def capped(request: GenerationRequest, most_tokens: int) -> GenerationRequest:
    """The request with `max_tokens` where the caller set none."""
    if request.sampling.max_tokens is not None:
        return request
    return replace(request, sampling=replace(request.sampling, max_tokens=most_tokens))


async def fitted(
    request: GenerationRequest, model: ModelProfile, engine: Engine, overlong: OverlongPrompt
) -> GenerationRequest:
    """The request with room for its answer.

    Raises `ContextTooLong` when prompt and `max_tokens` pass the context length, unless `overlong` says to
    truncate: then the prompt keeps its end, and `max_tokens` what room is left.
    """
    asked = request.sampling.max_tokens
    room = asked or 1
    if not _has_tools(request) and most_tokens(request) + room <= model.context_length:
        return _capped(request, model)
    try:
        ids = await engine.tokenize(request)
    except NotImplementedHere:  # a server that cannot count in advance judges by itself
        return _capped(request, model)
    if len(ids) + room <= model.context_length:
        return _capped(request, model)
    if overlong is OverlongPrompt.ERROR:
        raise ContextTooLong(prompt_tokens=len(ids), max_tokens=asked, context_length=model.context_length)
    kept = ids[-(model.context_length - 1) :]
    sampling = replace(request.sampling, max_tokens=min(room, model.context_length - len(kept)))
    return CompletionRequest(kept, sampling)


def _has_tools(request: GenerationRequest) -> bool:
    return isinstance(request, ChatRequest) and bool(request.tools)


def _capped(request: GenerationRequest, model: ModelProfile) -> GenerationRequest:
    limit = model.max_output_tokens
    if limit is None or (request.sampling.max_tokens or limit + 1) <= limit:
        return request
    return replace(request, sampling=replace(request.sampling, max_tokens=limit))
