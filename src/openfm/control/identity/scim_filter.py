"""SCIM filters (RFC 7644, 3.4.2.2): `userName eq "a" and (displayName sw "b" or active eq true)`."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openfm.core.errors import InvalidParameterValue

Resource = Mapping[str, Any]
Filter = Callable[[Resource], bool]

_TOKEN = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'[^']*')|(?P<bracket>[()])|(?P<word>[^\s()"']+))""")
_BARE = re.compile(r"[\w-]+|-?\d+\.\d+")  # some clients leave the quotes out
_DEEPEST = 20
_LONGEST = 4096
_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda have, want: have == want,
    "co": lambda have, want: want in have,
    "sw": lambda have, want: have.startswith(want),
    "ew": lambda have, want: have.endswith(want),
}


def parse_filter(text: str) -> Filter:
    """What tells whether a resource matches. Raises `InvalidParameterValue` with what was not understood."""
    if len(text) > _LONGEST:
        raise InvalidParameterValue(f"filter may have {_LONGEST} characters.", param="filter")
    parser = _Parser(_tokens(text))
    found = parser.any_of(0)
    parser.expect_end()
    return found


def values_at(resource: Resource, path: str) -> list[Any]:
    """All values at a dotted path, whatever the case of its names; of objects at its end, their `value`."""
    found: list[Any] = [resource]
    for name in path.lower().split("."):
        found = [value for item in _flat(found) for value in _named(item, name)]
    return [_plain(value) for value in _flat(found)]


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unclear(text[position:])
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._left = tokens[::-1]

    def any_of(self, depth: int) -> Filter:
        return self._joined("or", any, lambda: self._all_of(depth))

    def expect_end(self) -> None:
        if self._left:
            raise _unclear(self._left[-1])

    def _all_of(self, depth: int) -> Filter:
        return self._joined("and", all, lambda: self._one(depth))

    def _joined(self, word: str, join: Callable[[Iterable[bool]], bool], part: Callable[[], Filter]) -> Filter:
        parts = [part()]
        while self._left and self._left[-1].lower() == word:
            self._left.pop()
            parts.append(part())
        return parts[0] if len(parts) == 1 else lambda resource: join(test(resource) for test in parts)

    def _one(self, depth: int) -> Filter:
        if depth > _DEEPEST:
            raise InvalidParameterValue("filter has too many brackets inside one another.", param="filter")
        token = self._next()
        if token == "(":
            inner = self.any_of(depth + 1)
            self._expect(")")
            return inner
        if token.lower() == "not":
            self._expect("(")
            refused = self.any_of(depth + 1)
            self._expect(")")
            return lambda resource: not refused(resource)
        return self._comparison(token)

    def _comparison(self, path: str) -> Filter:
        operator = self._next().lower()
        if operator == "pr":
            return lambda resource: any(value not in (None, "") for value in values_at(resource, path))
        want = _folded(_literal(self._next()))
        if operator == "ne":
            return lambda resource: all(_folded(value) != want for value in values_at(resource, path))
        compare = _COMPARISONS.get(operator)
        if compare is None:
            raise InvalidParameterValue(
                f"filter: '{operator}' is not supported. Use eq, ne, co, sw, ew, pr, and, or, not.", param="filter"
            )
        return lambda resource: any(compare(_folded(value), want) for value in values_at(resource, path))

    def _next(self) -> str:
        if not self._left:
            raise InvalidParameterValue('filter is not complete; write it like userName eq "a@b.c".', param="filter")
        return self._left.pop()

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise InvalidParameterValue(f"filter: '{token}' is missing.", param="filter")


def _literal(token: str) -> str:
    """The value as text; true, false and numbers compare as they are written."""
    if token.startswith("'"):
        return token[1:-1]
    if not token.startswith('"'):
        if not _BARE.fullmatch(token):
            raise _unclear(token)
        return token
    try:
        return str(json.loads(token))
    except ValueError:
        raise _unclear(token) from None


def _folded(value: Any) -> str:
    return str(value).casefold()


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _named(item: Any, name: str) -> Iterable[Any]:
    if isinstance(item, Mapping):
        for key, value in item.items():
            if key.lower() == name and value is not None:
                yield value


def _plain(value: Any) -> Any:
    return value.get("value") if isinstance(value, Mapping) else value


def _unclear(text: str) -> InvalidParameterValue:
    shown = text[:40] if text.isprintable() else ascii(text[:40])
    return InvalidParameterValue(
        f'filter cannot be read at {shown}. Write it like userName eq "a@b.c".', param="filter"
    )
