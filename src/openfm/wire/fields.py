"""The field policy: what every request field of every data-plane route means here.

`docs/reference/fields.md` is written from these tables and tested against them. A field that is in no table is
ignored and never forwarded to an engine; with `OPENFM_STRICT=1` it is refused, as old Databricks endpoints did.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from openfm.core.errors import InvalidRequest


class Policy(StrEnum):
    """What happens to a field."""

    IMPLEMENTED = "implemented"
    ALIAS = "alias"
    REFUSED = "refused"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Field:
    """One request field.

    `is_databricks` marks the fields of Databricks' reference, which strict mode accepts. A refused field may carry
    one of the `neutral` values, which ask for nothing.
    """

    name: str
    policy: Policy
    note: str
    is_databricks: bool = False
    neutral: tuple[object, ...] = ()


def _databricks(name: str, note: str) -> Field:
    return Field(name, Policy.IMPLEMENTED, note, is_databricks=True)


def _openai(name: str, note: str) -> Field:
    return Field(name, Policy.IMPLEMENTED, note)


def _alias(name: str, note: str) -> Field:
    return Field(name, Policy.ALIAS, note)


def _refused(name: str, note: str, *neutral: object) -> Field:
    return Field(name, Policy.REFUSED, note, neutral=neutral)


def _ignored(name: str, note: str) -> Field:
    return Field(name, Policy.IGNORED, note)


_MODEL = _databricks("model", "endpoint name; not needed on /invocations, whose path names it")
_TRACKING = (
    _databricks("client_request_id", "string up to 256 characters, copied to usage"),
    _databricks(
        "usage_context",
        "map of strings without control characters, copied to usage; keys that the endpoint has a tag of keep that tag",
    ),
)
_SAMPLING = (
    _databricks("max_tokens", "integer from 1; null: until the context ends or the model's output limit"),
    _databricks("temperature", "0 to 2, default 1; 0 is deterministic"),
    _databricks("top_p", "above 0 to 1, default 1"),
    _databricks("top_k", "integer from 1; null: all tokens"),
    _databricks("stop", "a string, or up to 16, each of 1 to 256 characters; never part of the answer"),
    _databricks("n", "1 to 16; streams of several answers are interleaved (strict: 400)"),
    _databricks("stream", "server-sent events, default false"),
    _openai("stream_options", "object with `include_usage`"),
    _openai("seed", "64-bit integer"),
    _openai("presence_penalty", "-2 to 2, default 0"),
    _openai("frequency_penalty", "-2 to 2, default 0"),
    _openai("logit_bias", "map of token id to -100 … 100, up to 1,024 entries"),
    _openai("service_tier", "priority: before one's own other requests, on pay-per-token; all others: default"),
    _openai("ignore_eos", "boolean, for load tests: go on to max_tokens"),
)
_COSMETIC = (
    _ignored("user", "use usage_context to tag requests"),
    _ignored("metadata", "nothing is stored"),
    _ignored("store", "nothing is stored"),
    _ignored("prompt_cache_key", "prefixes are cached anyway"),
    _ignored("safety_identifier", "nothing is reported"),
)

CHAT_FIELDS = (
    _MODEL,
    _databricks("messages", "1 to 4,096 messages; roles system, developer (= system), user, assistant, tool"),
    *_SAMPLING,
    _alias("max_completion_tokens", "max_tokens"),
    _databricks("tools", "up to 128 functions, each with a JSON schema"),
    _databricks("tool_choice", "none, auto, required, or a named function"),
    _openai("parallel_tool_calls", "boolean, default true"),
    _databricks("response_format", "text, json_object or json_schema, enforced by the engine"),
    _databricks("logprobs", "boolean"),
    _databricks("top_logprobs", "0 to 20; needs logprobs"),
    _databricks("reasoning_effort", "none, minimal, low, medium or high; models without reasoning ignore it"),
    *_TRACKING,
    _refused("thinking", "no model here has a thinking budget", {"type": "disabled"}),
    _refused("functions", "use tools", []),
    _refused("function_call", "use tool_choice", "none"),
    _refused("audio", "no audio output"),
    _refused("modalities", "text only", ["text"]),
    _refused("web_search_options", "no web search"),
    _refused("chat_template", "the model's own template is used"),
    _refused("chat_template_kwargs", "the model's own template is used", {}),
    _ignored("prediction", "changes speed only"),
    _ignored("verbosity", "a hint to models that know it"),
    _ignored("enable_safety_filter", "no guardrails yet"),
    _ignored("databricks_options", "traces are not returned"),
    *_COSMETIC,
)

COMPLETION_FIELDS = (
    _MODEL,
    _databricks("prompt", "a string or up to 16; also one or several arrays of token ids; ordered prompt by prompt"),
    *_SAMPLING,
    _databricks("echo", "boolean: the prompt comes back before the completion"),
    _databricks("suffix", "string put after every completion (refused on /v1, where it means filling in the middle)"),
    _databricks("use_raw_prompt", "boolean: no prompt template; on /v1 prompts are always raw"),
    _databricks("error_behavior", "error, or truncate: cut prompt and max_tokens so that they fit"),
    _openai("logprobs", "0 to 20"),
    _refused("best_of", "ask for n answers and choose", 1),
    *_TRACKING,
    *_COSMETIC,
)

EMBEDDING_FIELDS = (
    _MODEL,
    _databricks("input", "a string, up to 150 strings, or one or several arrays of token ids"),
    _databricks("instruction", "string put before every text; up to 1,024 characters"),
    _openai("encoding_format", "float or base64"),
    _refused("dimensions", "vectors have the model's own size"),
    _ignored("service_tier", "embeddings have one tier"),
    *_TRACKING,
    *_COSMETIC,
)

TABLES: Mapping[str, tuple[Field, ...]] = {
    "chat": CHAT_FIELDS,
    "completions": COMPLETION_FIELDS,
    "embeddings": EMBEDDING_FIELDS,
}


def names(fields: Iterable[Field], *policies: Policy) -> frozenset[str]:
    """The names of the fields that have one of these policies."""
    return frozenset(field.name for field in fields if field.policy in policies)


def refuse_unknown(body: bytes, fields: Iterable[Field]) -> None:
    """Strict mode: refuse what Databricks' own decoder refused. The body must be valid JSON already."""
    known = {field.name for field in fields if field.is_databricks}
    for name in msgspec.json.decode(body, type=dict[str, msgspec.Raw]):
        if name not in known:
            raise InvalidRequest(f'Bad request: json: unknown field "{name}"\n', param=name)


def refuse_unsupported(values: Mapping[str, object], fields: Iterable[Field]) -> None:
    """Refuse what would change the answer but is not there, unless the value asks for nothing."""
    for field in fields:
        if field.policy is not Policy.REFUSED:
            continue
        value = values.get(field.name)
        if value is not None and value not in field.neutral:
            raise InvalidRequest(f"{field.name} is not supported: {field.note}.", param=field.name)
