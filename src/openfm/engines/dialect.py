"""What a server understands beyond OpenAI's standard, as values: no branch on a server's name anywhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from openfm.core.chat import ChatRequest, GenerationRequest

_RANDOM_SEED = 2**32 - 1
_PENALTY_WINDOW = 65_536

Extras = Callable[[GenerationRequest], Mapping[str, object]]
Shape = Callable[[Mapping[str, object]], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class CounterNames:
    """Names of an engine's own counters in its Prometheus text; `prompt` may be a sum of several.

    `kv_cache` is the share of its KV cache in use, where it counts that itself.
    """

    prompt: tuple[str, ...]
    completion: str
    running: str
    waiting: str
    kv_cache: str | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to speak to one kind of server.

    `extras` are fields merged into each generation body. `shape` has the last word on a body. `engine` is the
    catalog's name of it where its address can be handed to other processes of ours. `health_path` must pass
    through what serves requests, so that it does not answer while that hangs; None where asking would cost something.
    `slots_path` is a page of what each sequence holds, by which its KV cache is known where no counter tells.
    """

    extras: Extras
    health_path: str | None
    tokenizer: Literal["template", "messages", "none"] = "none"
    counters: CounterNames | None = None
    has_instruction: bool = False
    stream_options: Mapping[str, object] = field(default_factory=dict)
    shape: Shape = dict
    engine: str | None = None
    slots_path: str | None = None


def _nothing(_: GenerationRequest) -> Mapping[str, object]:
    return {}


def _llama_cpp_extras(request: GenerationRequest) -> Mapping[str, object]:
    """Neutral values for llama.cpp's own sampling defaults, and temperature before top_p as OpenAI and vLLM have it.

    `return_progress` is what makes a hang-up count during a long prompt: llama.cpp notices a closed connection only
    when it writes (measured: 33 s without it, one step with it).
    """
    sampling = request.sampling
    extras: dict[str, object] = {
        "timings_per_token": True,
        "return_progress": True,
        "cache_prompt": True,
        "top_k": sampling.top_k or 0,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_penalty": 1.0,
        "repeat_last_n": _PENALTY_WINDOW if sampling.presence_penalty or sampling.frequency_penalty else 0,
        "samplers": ["penalties", "top_k", "temperature", "top_p"],
        "ignore_eos": sampling.ignore_eos,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    if sampling.seed is not None:
        extras["seed"] = sampling.seed % _RANDOM_SEED
    if sampling.top_logprobs is not None:
        # With 0 alternatives llama.cpp sends no log probabilities at all; ChunkReader cuts the extra one off.
        likeliest = max(1, sampling.top_logprobs)
        is_chat = isinstance(request, ChatRequest)
        extras |= {"top_logprobs": likeliest} if is_chat else {"logprobs": likeliest}
    if isinstance(request, ChatRequest) and request.response_format and request.response_format.schema is None:
        extras["response_format"] = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    return extras


def _vllm_extras(request: GenerationRequest) -> Mapping[str, object]:
    sampling = request.sampling
    return {"top_k": sampling.top_k or 0, "min_p": 0.0, "ignore_eos": sampling.ignore_eos, "repetition_penalty": 1.0}


def _without_defaults(body: Mapping[str, object]) -> dict[str, object]:
    """Some providers refuse a temperature beside top_p, or either for a model that thinks, though it is the default."""
    neutral: dict[str, object] = {"temperature": 1.0, "top_p": 1.0}
    return {name: value for name, value in body.items() if name not in neutral or neutral[name] != value}


def _for_providers(body: Mapping[str, object]) -> dict[str, object]:
    shaped = _without_defaults(body)
    shaped.pop("encoding_format", None)  # vectors as base64 are OpenAI's own; numbers are the default of all
    return shaped


def _for_openai(body: Mapping[str, object]) -> dict[str, object]:
    """Models that think refuse the deprecated `max_tokens` of chats; all know its successor."""
    shaped = _without_defaults(body)
    if "messages" in shaped and "max_tokens" in shaped:
        shaped["max_completion_tokens"] = shaped.pop("max_tokens")
    return shaped


PLAIN = Dialect(extras=_nothing, health_path="/v1/models")
"""Any server that speaks OpenAI's API and nothing else."""

PROVIDER = Dialect(extras=_nothing, health_path=None, shape=_for_providers)
"""Another provider's OpenAI-compatible API: what every one of them takes. Asking for its health would cost money."""

OPENAI = Dialect(extras=_nothing, health_path=None, shape=_for_openai)
"""OpenAI itself."""

LLAMA_CPP = Dialect(
    extras=_llama_cpp_extras,
    health_path="/metrics",
    tokenizer="template",
    counters=CounterNames(
        ("llamacpp:prompt_tokens_total",),
        "llamacpp:tokens_predicted_total",
        "llamacpp:requests_processing",
        "llamacpp:requests_deferred",
    ),
    engine="llama_cpp",
    slots_path="/slots",
)
"""The llama.cpp server."""

VLLM = Dialect(
    extras=_vllm_extras,
    health_path="/health",
    tokenizer="messages",
    counters=CounterNames(
        ("vllm:prompt_tokens_total",),
        "vllm:generation_tokens_total",
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:kv_cache_usage_perc",
    ),
    stream_options={"continuous_usage_stats": True},
)
"""`vllm serve`."""

ONNX = Dialect(
    extras=_nothing,
    health_path="/health",
    tokenizer="messages",
    counters=CounterNames(
        ("openfm:prompt_tokens_total",),
        "openfm:completion_tokens_total",
        "openfm:requests_running",
        "openfm:requests_waiting",
    ),
    has_instruction=True,
    engine="onnx",
)
"""Our embedding worker (`onnx_worker.py`)."""


def read_counters(text: str) -> dict[str, float]:
    """Prometheus text -> value by name; samples of one name with several label sets are summed."""
    totals: dict[str, float] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, _, value = line.rpartition(" ")
        name = series.partition("{")[0].strip()
        try:
            totals[name] = totals.get(name, 0.0) + float(value)
        except ValueError:
            continue
    return totals
