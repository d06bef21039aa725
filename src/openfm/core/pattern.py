"""Regular expressions inside JSON schemas: checked, and rewritten to what a grammar engine enforces.

A grammar compiler that meets a class escape or an unanchored pattern tends to accept any string instead of failing, and
lets `.` or `[^x]` match the quote that ends a JSON string (llama.cpp does all three). So patterns are parsed here,
written anew with explicit classes without the characters that JSON escapes, and refused where that is not possible.
Bounded repetitions are limited because their grammars grow as the product of the bounds; of something that can be
empty, exponentially: `(a?){0,256}` stops a sampler for good.
"""

from dataclasses import dataclass

from openfm.core.errors import InvalidRequest

MAX_PATTERN_LENGTH = 512
MAX_GROUP_DEPTH = 16
MAX_REPEAT = 256
MAX_SIZE = 2000
MAX_EMPTIES = 64

_Ranges = tuple[tuple[int, int], ...]

_CLASSES: dict[str, _Ranges] = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "s": ((0x20, 0x20),),
}
# JSON writes these with a backslash (and 7F engines exclude): a grammar that lets them through makes invalid JSON.
_ESCAPED_IN_JSON: _Ranges = ((0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F))
_SPECIAL = frozenset("^$.[](){}|*+?")


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the rewritten pattern.

    `size` is how many elements it unrolls to, `empties` how many of them in a row can be empty: a sampler follows
    every way through such a row.
    """

    text: str
    size: int
    can_be_empty: bool = False
    empties: int = 0


def rewrite_pattern(pattern: str, param: str) -> str:
    """The same language in the subset that grammar engines enforce.

    Raises `InvalidRequest` for what they would ignore (look-around, back-references, no anchors) or choke on.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise _refusal(pattern, param, f"it is longer than {MAX_PATTERN_LENGTH} characters")
    if not pattern.startswith("^") or not pattern.endswith("$") or pattern.endswith("\\$"):
        raise _refusal(pattern, param, "it does not start with ^ and end with $")
    parser = _Parser(pattern[1:-1], param)
    whole = parser.alternatives(0)
    if parser.peek():
        raise parser.fail("a group is closed that was not opened")
    # In a group: the anchors bind weaker than |.
    return f"^({whole.text})$" if "|" in whole.text else f"^{whole.text}$"


def _refusal(pattern: str, param: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The pattern '{pattern[:60]}' cannot be enforced: {why}. Use literals, character classes, groups, "
        "alternatives and greedy repetitions between ^ and $.",
        param=param,
    )


@dataclass(slots=True)
class _Parser:
    body: str
    param: str
    at: int = 0

    def fail(self, why: str) -> InvalidRequest:
        return _refusal(f"^{self.body}$", self.param, why)

    def peek(self) -> str:
        return self.body[self.at] if self.at < len(self.body) else ""

    def take(self) -> str:
        if self.at >= len(self.body):
            raise self.fail("it ends too early")
        self.at += 1
        return self.body[self.at - 1]

    def alternatives(self, depth: int) -> _Part:
        if depth > MAX_GROUP_DEPTH:
            raise self.fail(f"its groups are nested deeper than {MAX_GROUP_DEPTH}")
        parts = [self._sequence(depth)]
        while self.peek() == "|":
            self.take()
            parts.append(self._sequence(depth))
        return _Part(
            "|".join(part.text for part in parts),
            sum(part.size for part in parts),
            any(part.can_be_empty for part in parts),
            sum(part.empties for part in parts),
        )

    def _sequence(self, depth: int) -> _Part:
        parts: list[_Part] = []
        row = longest_row = 0
        while self.peek() and self.peek() not in "|)":
            parts.append(self._repeated(self._atom(depth)))
            row = parts[-1].empties + (row if parts[-1].can_be_empty else 0)
            longest_row = max(longest_row, row)
        size = sum(part.size for part in parts)
        if size > MAX_SIZE or longest_row > MAX_EMPTIES:
            raise self.fail(f"it unrolls to more than {MAX_SIZE} elements, or {MAX_EMPTIES} in a row can be empty")
        text = "".join(part.text for part in parts)
        return _Part(text, size, all(part.can_be_empty for part in parts), longest_row)

    def _atom(self, depth: int) -> _Part:
        char = self.take()
        if char == "(":
            return self._group(depth)
        if char == "[":
            return _Part(self._character_class(), 1)
        if char == ".":
            return _Part(_class_text((), is_negated=True), 1)
        if char == "\\" and self.peek() in _CLASSES:
            return _Part(_class_text(_CLASSES[self.take()], is_negated=False), 1)
        if char in "*+?{":
            raise self.fail(f"nothing stands before {char}")
        if char in "^$":
            raise self.fail(f"{char} stands inside it")
        code = self._escaped() if char == "\\" else ord(char)
        if not _without_escaped(((code, code),)):
            raise self.fail("it asks for a quote, backslash or control character")
        literal = chr(code)
        return _Part(f"\\{literal}" if literal in _SPECIAL else literal, 1)

    def _group(self, depth: int) -> _Part:
        if self.peek() == "?":
            self.take()
            if self.take() != ":":
                raise self.fail("look-around and named groups are not known")
        inner = self.alternatives(depth + 1)
        if self.peek() != ")":
            raise self.fail("a group is not closed")
        self.take()
        return _Part(f"({inner.text})", inner.size, inner.can_be_empty, inner.empties)

    def _repeated(self, part: _Part) -> _Part:
        mark, bound, can_be_empty = self.peek(), 1, part.can_be_empty
        if not mark or mark not in "*+?{":
            return part
        self.take()
        if mark == "{":
            mark, low, bound = self._bounds()
            can_be_empty = can_be_empty or low == 0
        elif mark in "*?":
            can_be_empty = True
        if self.peek() and self.peek() in "?*+{":
            raise self.fail("lazy, possessive and doubled repetitions are not known")
        size = part.size * bound
        empties = max(part.empties * bound if part.can_be_empty else part.empties, int(can_be_empty))
        is_empty_repeated = part.can_be_empty and bound > 1
        if size > MAX_SIZE or empties > MAX_EMPTIES or (is_empty_repeated and size > MAX_EMPTIES):
            raise self.fail("its repetitions are too many, or too many of something that can be empty")
        return _Part(part.text + mark, size, can_be_empty, empties)

    def _bounds(self) -> tuple[str, int, int]:
        digits = ""
        while (char := self.take()) != "}":
            digits += char
        low, comma, high = digits.partition(",")
        if not all(part.isascii() and part.isdigit() and len(part) < 5 for part in (low, high or "0")):
            raise self.fail(f"{{{digits[:20]}}} is no repetition")
        least, most = int(low), int(high) if high else int(low)
        if least > most or most > MAX_REPEAT:
            raise self.fail(f"a repetition must lie between 0 and {MAX_REPEAT}, the smaller bound first")
        return f"{{{low}{comma}{high}}}", least, max(most, 1)

    def _escaped(self) -> int:
        char = self.take()
        if char in "ntr":
            return ord({"n": "\n", "t": "\t", "r": "\r"}[char])
        if char.isalnum():
            raise self.fail(f"\\{char} is not known")
        return ord(char)

    def _character_class(self) -> str:
        is_negated = self.peek() == "^"
        if is_negated:
            self.take()
        ranges: list[tuple[int, int]] = []
        while self.peek() != "]":
            ranges.extend(self._class_item())
        self.take()
        if not ranges:
            raise self.fail("a character class is empty")
        if not is_negated and not _without_escaped(tuple(ranges)):
            raise self.fail("a character class has only quotes, backslashes or control characters")
        return _class_text(tuple(ranges), is_negated=is_negated)

    def _class_item(self) -> _Ranges:
        char = self.take()
        if char == "\\" and self.peek() in _CLASSES:
            return _CLASSES[self.take()]
        first = self._escaped() if char == "\\" else ord(char)
        if self.peek() != "-" or self.body[self.at + 1 : self.at + 2] in ("]", ""):
            return ((first, first),)
        self.take()
        char = self.take()
        last = self._escaped() if char == "\\" else ord(char)
        if last < first:
            raise self.fail("a range in a character class runs backwards")
        return ((first, last),)


def _without_escaped(ranges: _Ranges) -> _Ranges:
    """The ranges without the characters that JSON escapes."""
    kept = list(ranges)
    for low, high in _ESCAPED_IN_JSON:
        kept = [
            piece
            for first, last in kept
            for piece in ((first, min(last, low - 1)), (max(first, high + 1), last))
            if piece[0] <= piece[1]
        ]
    return tuple(dict.fromkeys(kept))


def _class_text(ranges: _Ranges, *, is_negated: bool) -> str:
    shown = (*ranges, *_ESCAPED_IN_JSON) if is_negated else _without_escaped(ranges)
    items = (_char_text(first) if first == last else f"{_char_text(first)}-{_char_text(last)}" for first, last in shown)
    return f"[{'^' if is_negated else ''}{''.join(items)}]"


def _char_text(code: int) -> str:
    if code < 0x80 and not chr(code).isalnum() and chr(code) not in " _":
        return f"\\x{code:02X}"
    return chr(code)
