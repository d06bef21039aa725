"""Child process: compiles and renders one chat template within limits. Run by `chat_template.py`, never by hand.

Reads {"template", "tokens"} as JSON from stdin; writes {"has_tools"} or {"refused": reason} to stdout. A template that
exceeds the limits gets this process killed.
"""

import json
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

_PROCESSOR_S = 0.5
_MEMORY_BYTES = 512 * 1024 * 1024
_MOST_CHARACTERS = 1_000_000
_TOOL = "look_up_the_tide"
_TOOLS = (
    {
        "type": "function",
        "function": {
            "name": _TOOL,
            "description": "The tide at a place.",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
        },
    },
)
_SYSTEM = {"role": "system", "content": "Answer in one sentence."}
_USER = {"role": "user", "content": "When is high water?"}


class _Refused(Exception):
    """The reason for the caller."""


class _Generation(Extension):
    """`{% generation %}` marks what an assistant said, for training; in an answer it changes nothing."""

    tags = {"generation"}  # noqa: RUF012 (jinja2's own shape)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def main() -> None:
    """Render, and say what came of it."""
    task = json.load(sys.stdin)
    _limit()
    try:
        answer: dict[str, object] = {"has_tools": _try(task["template"], task["tokens"])}
    except _Refused as refused:
        answer = {"refused": str(refused)}
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        answer = {"refused": f"{type(error).__name__}: {error}"}
    except (RecursionError, MemoryError) as error:
        answer = {"refused": f"it needs too much memory ({type(error).__name__})"}
    json.dump(answer, sys.stdout)


def _limit() -> None:
    """Processor time by a timer whose signal kills, memory by the address space."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.setitimer(signal.ITIMER_PROF, _PROCESSOR_S)


def _try(text: str, tokens: Mapping[str, str]) -> bool:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _raise, "strftime_now": _strftime_now}
    _check_names(environment.parse(text))
    template = environment.from_string(text)
    given = {"bos_token": "", "eos_token": "", **tokens, "add_generation_prompt": True}
    try:
        _render(template, {**given, "messages": [_SYSTEM, _USER]})
    except jinja2.TemplateError:  # many have no place for a system message
        _render(template, {**given, "messages": [_USER]})
    try:
        return _TOOL in _render(template, {**given, "messages": [_USER], "tools": list(_TOOLS)})
    except jinja2.TemplateError:
        return False


def _check_names(tree: nodes.Template) -> None:
    """Refuse names with two underscores wherever they stand, also in branches that the rendering does not take."""
    for name in _names(tree):
        if name.startswith("__") and name.endswith("__"):
            raise _Refused(f"it reaches for Python's {name}")


def _names(tree: nodes.Template) -> Iterator[str]:
    for node in tree.find_all((nodes.Getattr, nodes.Const, nodes.Name)):
        if isinstance(node, nodes.Getattr):
            yield node.attr
        elif isinstance(node, nodes.Name):
            yield node.name
        elif isinstance(node, nodes.Const) and isinstance(node.value, str):
            yield node.value.strip()


def _render(template: jinja2.Template, values: Mapping[str, object]) -> str:
    pieces: list[str] = []
    length = 0
    for piece in template.generate(values):
        length += len(piece)
        if length > _MOST_CHARACTERS:
            raise _Refused(f"it writes more than {_MOST_CHARACTERS} characters for a short conversation")
        pieces.append(piece)
    return "".join(pieces)


def _to_json(value: Any, indent: int | None = None, **_: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: object) -> NoReturn:
    raise jinja2.TemplateError(str(message))


def _strftime_now(form: str) -> str:
    return datetime.now(UTC).strftime(form)


if __name__ == "__main__":
    main()
