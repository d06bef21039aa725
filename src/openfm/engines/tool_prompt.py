"""Tools for chat templates that know none: described in the system prompt, enforced by a JSON schema, turned back.

Pure. `without_tools` rewrites a request so that any model with a grammar engine can answer it; `ToolAnswer` reads the
JSON that comes back, piece by piece, as the text or the call that the caller expects.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from openfm.core.chat import ChatRequest, Message, NamedTool, ResponseFormat, Role, Tool, ToolCallDelta
from openfm.core.errors import InvalidRequest

_OPENING = re.compile(r'\s*\{\s*"(?:(response)|name)"\s*:\s*(?=\S)')
_NAME = re.compile(r'("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\S)')
_SPACE = " \t\r\n"


def needs_emulation(request: ChatRequest, *, has_tool_template: bool = False) -> bool:
    """Whether the request has anything that would be dropped.

    A template without tools drops all of them. Where the template has them, the model's own format is used, except
    for a call that is forced: llama.cpp does not hold the model to it (tried with Qwen 2.5's template).
    """
    if has_tool_template:
        return bool(request.tools) and request.tool_choice not in ("none", "auto")
    return bool(request.tools) or any(_is_tool_turn(message) for message in request.messages)


def without_tools(request: ChatRequest) -> ChatRequest:
    """The same request in plain messages and, where tools may be called, a response schema.

    Stop strings are left to `ToolAnswer`'s user: they mean the text, not the JSON around it.
    Raises `InvalidRequest` if `tool_choice` names no tool.
    """
    messages = tuple(_plain_message(message) for message in request.messages)
    offered = offered_tools(request)
    if not offered:
        return replace(request, messages=messages, tools=())
    return replace(
        request,
        messages=_with_system(messages, _instructions(request, offered)),
        tools=(),
        response_format=ResponseFormat(_answer_schema(request, offered), "answer"),
        sampling=replace(request.sampling, stop=(), ignore_eos=False),
    )


def offered_tools(request: ChatRequest) -> tuple[Tool, ...]:
    """The tools that may be called under the request's `tool_choice`. Raises `InvalidRequest` for an unknown name."""
    if request.tool_choice == "none":
        return ()
    if not isinstance(request.tool_choice, NamedTool):
        return request.tools
    named = tuple(tool for tool in request.tools if tool.name == request.tool_choice.name)
    if not named:
        raise InvalidRequest(
            f"tool_choice names '{request.tool_choice.name}', which is not among the tools. Use one of their names.",
            param="tool_choice",
        )
    return named


def _is_tool_turn(message: Message) -> bool:
    return message.role is Role.TOOL or bool(message.tool_calls)


def _plain_message(message: Message) -> Message:
    if message.role is Role.TOOL:
        result = json.dumps({"tool_result": message.content or ""}, ensure_ascii=False)
        return Message(Role.USER, result)
    if not message.tool_calls:
        return message if message.content is not None else replace(message, content="")
    calls = "\n".join(
        f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}' for call in message.tool_calls
    )
    return Message(message.role, f"{message.content}\n{calls}" if message.content else calls)


def _with_system(messages: Sequence[Message], text: str) -> tuple[Message, ...]:
    if messages and messages[0].role is Role.SYSTEM:
        first = replace(messages[0], content=f"{messages[0].content or ''}\n\n{text}".lstrip())
        return (first, *messages[1:])
    return (Message(Role.SYSTEM, text), *messages)


def _instructions(request: ChatRequest, tools: Sequence[Tool]) -> str:
    listed = "\n".join(
        json.dumps(
            {"name": tool.name, "description": tool.description or "", "parameters": dict(tool.parameters)},
            ensure_ascii=False,
        )
        for tool in tools
    )
    text = (
        f'You can call these tools:\n{listed}\nTo call a tool, answer {{"name": <tool>, "arguments": <its arguments>}}.'
    )
    if request.tool_choice == "auto":
        text += ' If no tool is needed, answer {"response": <your answer>}.'
    return text


def _answer_schema(request: ChatRequest, tools: Sequence[Tool]) -> dict[str, object]:
    definitions: dict[str, object] = {}
    shapes = [_call_schema(tool, index, definitions) for index, tool in enumerate(tools)]
    if request.tool_choice == "auto":
        wanted = request.response_format
        response = {"type": "string"} if wanted is None else _scoped(wanted.schema, "response", definitions)
        shapes.insert(0, _object({"response": response}))
    schema: dict[str, object] = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return {**schema, "$defs": definitions} if definitions else schema


def _call_schema(tool: Tool, index: int, definitions: dict[str, object]) -> dict[str, object]:
    arguments = _scoped(tool.parameters, f"tool{index}", definitions)
    return _object({"name": {"const": tool.name}, "arguments": arguments})


def _object(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _scoped(schema: object, prefix: str, definitions: dict[str, object]) -> object:
    """The schema to be put inside another: its definitions move to the new root under names of their own."""
    if not isinstance(schema, dict) or not schema:
        return {"type": "object"}
    for keyword in ("$defs", "definitions"):
        for name, value in dict(schema.get(keyword) or {}).items():
            definitions[f"{prefix}.{name}"] = _renamed(value, prefix)
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "definitions", "$schema", "$id")}
    return _renamed(inner, prefix)


def _renamed(value: object, prefix: str) -> object:
    if isinstance(value, list):
        return [_renamed(item, prefix) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {key: _renamed(item, prefix) for key, item in value.items()}
    reference = value.get("$ref")
    if isinstance(reference, str):
        renamed["$ref"] = re.sub(r"^#/(?:\$defs|definitions)/", f"#/$defs/{prefix}.", reference)
    return renamed


@dataclass(slots=True)
class _ValueEnd:
    """Finds where a JSON value ends inside an object, and leaves the object's own brace out."""

    depth: int = 0
    is_in_string: bool = False
    is_escaped: bool = False
    has_begun: bool = False

    def take(self, text: str) -> tuple[str, bool]:
        """The part of `text` that belongs to the value, and whether the value ended in it."""
        for at, char in enumerate(text):
            if self.is_in_string:
                if self._closes_string(char) and self.depth == 0:
                    return text[: at + 1], True
                continue
            if self.depth == 0 and self.has_begun and char in "},":
                return text[:at].rstrip(_SPACE), True
            self.has_begun = True
            self.is_in_string = char == '"'
            self.depth += (char in "{[") - (char in "}]")
            if self.depth == 0 and char in "}]":
                return text[: at + 1], True
        return text, False

    def _closes_string(self, char: str) -> bool:
        is_escaped, self.is_escaped = self.is_escaped, char == "\\" and not self.is_escaped
        closes = char == '"' and not is_escaped
        self.is_in_string = not closes
        return closes


@dataclass(slots=True)
class ToolAnswer:
    """Reads the JSON of `without_tools`' schema incrementally.

    `is_json_response` says that the `response` is a JSON value to be handed on as it is, not a string. `make_id` makes
    the id of the call.
    """

    make_id: Callable[[], str]
    is_json_response: bool = False
    has_called: bool = False
    _buffer: str = ""
    _state: str = "opening"
    _value: _ValueEnd = field(default_factory=_ValueEnd)

    def feed(self, text: str) -> Iterator[str | ToolCallDelta]:
        """The pieces of text or call that `text` completes."""
        self._buffer += text
        if self._state == "opening" and (found := _OPENING.match(self._buffer)):
            self._buffer = self._buffer[found.end() :]
            if not found[1]:
                self._state = "name"
            else:
                self._state = "json" if self.is_json_response else "string"
        if self._state == "name" and (found := _NAME.match(self._buffer)):
            self._buffer = self._buffer[found.end() :]
            self._state, self.has_called = "arguments", True
            yield ToolCallDelta(0, "", self.make_id(), json.loads(found[1]))
        if self._state in ("arguments", "json"):
            piece, is_last = self._value.take(self._buffer)
            is_call, self._buffer = self._state == "arguments", ""
            self._state = "done" if is_last else self._state
            if piece:
                yield ToolCallDelta(0, piece) if is_call else piece
        if self._state == "string":
            yield from self._string_pieces()

    def _string_pieces(self) -> Iterator[str]:
        end = _string_end(self._buffer)
        raw = self._buffer[1:end] if end is not None else self._buffer[1 : _safe_length(self._buffer)]
        decoded: str = json.loads(f'"{raw}"', strict=False)
        self._buffer = '"' + self._buffer[1 + len(raw) :]
        if end is not None:
            self._state = "done"
        if decoded:
            yield decoded.encode("utf-8", "replace").decode()


def _string_end(text: str) -> int | None:
    """Where the closing quote of the string that `text` begins with is."""
    at = 1
    while at < len(text):
        if text[at] == '"':
            return at
        at += 2 if text[at] == "\\" else 1
    return None


def _safe_length(text: str) -> int:
    """How much of an unfinished string can be decoded: no half escape, no half surrogate pair."""
    at = 1
    high_surrogate: int | None = None
    while at < len(text):
        size = 1 if text[at] != "\\" else 6 if text[at + 1 : at + 2] == "u" else 2
        if at + size > len(text):
            break
        is_high = size == 6 and text[at + 2 : at + 4].lower() in ("d8", "d9", "da", "db")
        high_surrogate = at if is_high else None
        at += size
    return at if high_surrogate is None else high_surrogate


@dataclass(slots=True)
class StopScanner:
    """Cuts text before the first stop string, and holds back what may be the beginning of one."""

    stops: tuple[str, ...]
    is_stopped: bool = False
    _held: str = ""

    def feed(self, text: str) -> str:
        """The text that is safe to hand on."""
        self._held += text
        found = [at for stop in self.stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.is_stopped = True
            return self._held[: min(found)]
        keep = max((self._overlap(stop) for stop in self.stops), default=0)
        out = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return out

    def flush(self) -> str:
        """What was held back, once no more text comes."""
        out, self._held = "" if self.is_stopped else self._held, ""
        return out

    def _overlap(self, stop: str) -> int:
        longest = min(len(stop) - 1, len(self._held))
        return next((size for size in range(longest, 0, -1) if self._held.endswith(stop[:size])), 0)
