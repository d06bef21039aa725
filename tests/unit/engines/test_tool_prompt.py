import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.chat import (
    ChatRequest,
    Message,
    NamedTool,
    ResponseFormat,
    Role,
    SamplingParams,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
)
from openfm.core.errors import InvalidRequest
from openfm.engines.tool_prompt import StopScanner, ToolAnswer, needs_emulation, without_tools

WEATHER = Tool(
    "get_weather",
    "The weather",
    {"type": "object", "properties": {"unit": {"$ref": "#/$defs/u"}}, "$defs": {"u": {"enum": ["C"]}}},
)
CLOCK = Tool("get_time", None, {})
ASK = Message(Role.USER, "Weather?")


def schema_of(request: ChatRequest) -> dict[str, object]:
    assert request.response_format is not None
    assert request.response_format.schema is not None
    return dict(request.response_format.schema)


def pieces(text: str, cuts: list[int], *, is_json_response: bool = False) -> tuple[str, list[ToolCallDelta]]:
    answer = ToolAnswer(lambda: "call_1", is_json_response)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    out = [piece for a, b in pairwise(edges) for piece in answer.feed(text[a:b])]
    calls = [piece for piece in out if not isinstance(piece, str)]
    return "".join(piece for piece in out if isinstance(piece, str)), calls


def test_a_plain_request_is_left_alone() -> None:
    assert not needs_emulation(ChatRequest((ASK,)))


@pytest.mark.parametrize(
    ("choice", "is_emulated"), [("auto", False), ("none", False), ("required", True), (NamedTool("get_time"), True)]
)
def test_a_template_with_tools_is_trusted_unless_a_call_is_forced(choice: ToolChoice, *, is_emulated: bool) -> None:
    request = ChatRequest((ASK,), tools=(CLOCK,), tool_choice=choice)
    assert needs_emulation(request, has_tool_template=True) is is_emulated
    assert needs_emulation(request)


def test_tools_are_described_after_the_callers_system_prompt() -> None:
    request = ChatRequest((Message(Role.SYSTEM, "Be kind."), ASK), tools=(WEATHER, CLOCK))
    first, second = without_tools(request).messages
    assert first.content is not None
    assert first.content.startswith("Be kind.\n\n")
    assert "get_weather" in first.content
    assert '"response"' in first.content
    assert second == ASK


def test_auto_allows_an_answer_or_one_of_the_calls() -> None:
    schema = schema_of(without_tools(ChatRequest((ASK,), tools=(WEATHER, CLOCK))))
    shapes = schema["anyOf"]
    assert isinstance(shapes, list)
    assert [list(shape["properties"]) for shape in shapes] == [
        ["response"],
        ["name", "arguments"],
        ["name", "arguments"],
    ]


def test_required_leaves_no_way_to_answer_in_text() -> None:
    schema = schema_of(without_tools(ChatRequest((ASK,), tools=(WEATHER, CLOCK), tool_choice="required")))
    assert '"response"' not in json.dumps(schema)


def test_a_named_tool_is_the_only_one() -> None:
    schema = schema_of(without_tools(ChatRequest((ASK,), tools=(WEATHER, CLOCK), tool_choice=NamedTool("get_time"))))
    assert schema["properties"] == {"name": {"const": "get_time"}, "arguments": {"type": "object"}}


def test_definitions_of_different_tools_do_not_meet() -> None:
    other = Tool("other", None, {"type": "object", "properties": {"x": {"$ref": "#/$defs/u"}}, "$defs": {"u": {}}})
    schema = schema_of(without_tools(ChatRequest((ASK,), tools=(WEATHER, other))))
    assert schema["$defs"] == {"tool0.u": {"enum": ["C"]}, "tool1.u": {}}
    assert "#/$defs/tool0.u" in json.dumps(schema)


def test_none_drops_the_tools() -> None:
    plain = without_tools(ChatRequest((ASK,), tools=(WEATHER,), tool_choice="none"))
    assert plain.tools == ()
    assert plain.response_format is None
    assert plain.messages == (ASK,)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        without_tools(ChatRequest((ASK,), tools=(WEATHER,), tool_choice=NamedTool("nothing")))
    assert caught.value.param == "tool_choice"


def test_tool_turns_become_plain_messages() -> None:
    call = Message(Role.ASSISTANT, None, (ToolCall("call_1", "get_weather", '{"unit": "C"}'),))
    result = Message(Role.TOOL, "18 degrees", tool_call_id="call_1")
    request = ChatRequest((ASK, call, result))
    assert needs_emulation(request)
    _, called, told = without_tools(request).messages
    assert called.content == '{"name": "get_weather", "arguments": {"unit": "C"}}'
    assert (told.role, told.content) == (Role.USER, '{"tool_result": "18 degrees"}')


def test_stop_strings_mean_the_text_not_the_json() -> None:
    request = ChatRequest((ASK,), SamplingParams(stop=('"',)), tools=(WEATHER,))
    assert without_tools(request).sampling.stop == ()


@given(st.text(), st.lists(st.integers(0, 500), max_size=8), st.booleans())
def test_a_text_answer_comes_out_as_it_was_meant(text: str, cuts: list[int], is_ascii: bool) -> None:  # noqa: FBT001
    body = json.dumps({"response": text}, ensure_ascii=is_ascii, indent=2)
    shown = text.encode("utf-8", "replace").decode()
    assert pieces(body, cuts) == (shown, [])


@given(
    st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text(), max_size=2), max_size=3),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_a_call_comes_out_with_its_arguments(arguments: dict[str, object], cuts: list[int]) -> None:
    body = json.dumps({"name": "get_weather", "arguments": arguments}, indent=1)
    text, calls = pieces(body, cuts)
    assert text == ""
    assert (calls[0].id, calls[0].name) == ("call_1", "get_weather")
    assert json.loads("".join(call.arguments for call in calls)) == arguments


@pytest.mark.parametrize("value", [{"a": [1, "}"]}, "te}xt", 12, None])
def test_a_json_answer_is_handed_on_as_it_is(value: object) -> None:
    for cut in range(30):
        text, _ = pieces(json.dumps({"response": value}), [cut], is_json_response=True)
        assert json.loads(text) == value


def test_with_a_response_format_the_answer_has_that_shape() -> None:
    request = ChatRequest((ASK,), tools=(CLOCK,), response_format=ResponseFormat({"type": "integer"}))
    shapes = schema_of(without_tools(request))["anyOf"]
    assert isinstance(shapes, list)
    assert shapes[0]["properties"] == {"response": {"type": "integer"}}


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=3), max_size=3), st.integers(1, 5))
def test_a_stop_string_never_leaks(text: str, stops: list[str], size: int) -> None:
    scanner = StopScanner(tuple(stops))
    out = ""
    for start in range(0, len(text), size):
        if not scanner.is_stopped:
            out += scanner.feed(text[start : start + size])
    out += scanner.flush()
    firsts = [at for stop in stops if (at := text.find(stop)) >= 0]
    assert text.startswith(out)
    assert not any(stop in out for stop in stops)
    if not firsts:
        assert out == text
