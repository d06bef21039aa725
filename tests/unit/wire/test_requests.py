"""Bodies: what is refused, and in which words."""

import msgspec
import pytest

from openfm.core.errors import InvalidRequest
from openfm.wire import fields
from openfm.wire.requests import ChatBody, CompletionBody, EmbeddingBody, decode

CHAT = msgspec.json.Decoder(ChatBody)
HELLO: dict[str, object] = {"messages": [{"role": "user", "content": "hello"}]}


def decoded(body: dict[str, object] | bytes, *, is_strict: bool = False) -> ChatBody:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return decode(raw, CHAT, fields.CHAT_FIELDS, is_strict=is_strict)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.content"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": 0}, "top_k"),
        ({"n": 17}, "n"),
        ({"n": 0}, "n"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"seed": 2**64}, "seed"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"logit_bias": {"5": 101}}, "logit_bias"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"usage_context": {"a": 1}}, "usage_context"),
        ({"usage_context": {"": "a"}}, "usage_context"),
        ({"usage_context": {"a\x00": "a"}}, "usage_context"),
        ({"usage_context": {"a": "b\n"}}, "usage_context"),
        ({"client_request_id": "\x1b[31m"}, "client_request_id"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(change: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(HELLO | change)
    assert caught.value.param == param


def test_a_control_character_is_refused_in_plain_words() -> None:
    with pytest.raises(InvalidRequest, match="`str` without control characters"):
        decoded(HELLO | {"usage_context": {"a": "b\x00"}})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"not json",
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "\xff"}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
        b'{"messages": [{"role": "user", "content": "x"}], "thinking": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"messages": [{"role": "user", "content": "x"}], "unknown": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
    ids=["empty", "cut", "words", "surrogate", "not utf-8", "NaN", "deep", "deep and unknown"],
)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decoded(raw)


def test_line_41_unknown_fields_are_ignored_when_lenient() -> None:
    assert decoded(HELLO | {"no_such_field": 1, "user": "me", "metadata": {}, "store": True}).messages


@pytest.mark.parametrize(
    "name", ["stream_options", "seed", "user", "logit_bias", "parallel_tool_calls", "metadata", "store", "inputs"]
)
def test_line_41_unknown_fields_are_refused_when_strict(name: str) -> None:
    value: object = {} if name in {"stream_options", "logit_bias", "metadata"} else None
    with pytest.raises(InvalidRequest, match=f'^Bad request: json: unknown field "{name}"'):
        decoded(HELLO | {name: value}, is_strict=True)


@pytest.mark.parametrize("field", [f for f in fields.CHAT_FIELDS if f.policy is fields.Policy.REFUSED])
def test_what_would_change_the_answer_is_never_silently_ignored(field: fields.Field) -> None:
    with pytest.raises(InvalidRequest, match=field.name):
        decoded(HELLO | {field.name: {"any": "thing"}})
    for neutral in (None, *field.neutral):
        assert decoded(HELLO | {field.name: neutral}).messages


@pytest.mark.parametrize(
    ("struct", "table"),
    [
        (ChatBody, fields.CHAT_FIELDS),
        (CompletionBody, fields.COMPLETION_FIELDS),
        (EmbeddingBody, fields.EMBEDDING_FIELDS),
    ],
)
def test_the_field_tables_name_exactly_the_fields_that_are_decoded(
    struct: type[msgspec.Struct], table: tuple[fields.Field, ...]
) -> None:
    policies = fields.Policy
    in_table = fields.names(table, policies.IMPLEMENTED, policies.ALIAS, policies.REFUSED)
    decoded_here = set(struct.__struct_fields__) - ({"prompt"} if struct is ChatBody else set())
    assert decoded_here == in_table
