"""Regular expressions inside JSON schemas: checked, and rewritten to what a grammar engine enforces.

A grammar compiler that meets a class escape or an unanchored pattern tends to accept any string instead of failing
(llama.cpp does), so whatever is not known to be enforced is refused here. Nested bounded repetitions are limited
because their grammars grow as the product of the bounds: `((a{0,9}){0,9}){0,9}` holds a sampler for seconds a token.
"""

from dataclasses import dataclass, field

from openfm.core.errors import InvalidRequest

MAX_PATTERN_LENGTH = 512
MAX_REPEAT = 256
MAX_REPEAT_PRODUCT = 512

_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\r"}
_PLAIN_ESCAPES = frozenset("\\.^$|?*+()[]{}/-ntr\"'@#%&=:,;<>!~_ ")


@dataclass(slots=True)
class _Scanner:
    """One pass over the body; `repeats` holds the largest product of bounds inside each open group."""

    text: str
    param: str
    at: int = 0
    out: list[str] = field(default_factory=list)
    repeats: list[int] = field(default_factory=lambda: [1])
    last_product: int = 0

    def fail(self, why: str) -> InvalidRequest:
        return InvalidRequest(
            f"The pattern '{self.text[:60]}' cannot be enforced: {why}. Use literals, character classes, groups, "
            "alternatives and greedy repetitions between ^ and $.",
            param=self.param,
        )

    def take(self) -> str:
        if self.at >= len(self.text):
            raise self.fail("it ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""


def rewrite_pattern(pattern: str, param: str) -> str:
    """The same language in the subset that grammar engines enforce.

    Raises `InvalidRequest` for what they would ignore (look-around, back-references, no anchors) or choke on.
    """
    scanner = _Scanner(pattern, param)
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise scanner.fail(f"it is longer than {MAX_PATTERN_LENGTH} characters")
    if not (pattern.startswith("^") and pattern.endswith("$")) or pattern.endswith("\\$"):
        raise scanner.fail("it does not start with ^ and end with $")
    body = _Scanner(pattern[1:-1], param)
    while body.at < len(body.text):
        _element(body)
    if len(body.repeats) != 1:
        raise scanner.fail("a group is not closed")
    return f"^{''.join(body.out)}$"


def _element(scan: _Scanner) -> None:
    char = scan.take()
    if char == "(":
        _open_group(scan)
    elif char == ")":
        _close_group(scan)
    elif char == "[":
        scan.out.append(_character_class(scan))
        scan.last_product = 1
    elif char == "\\":
        scan.out.append(_escape(scan))
        scan.last_product = 1
    elif char in "*+?{":
        _repetition(scan, char)
    elif char in "^$":
        raise scan.fail(f"{char} stands inside it")
    else:
        scan.out.append(char)
        scan.last_product = 0 if char == "|" else 1


def _open_group(scan: _Scanner) -> None:
    if scan.peek() == "?":
        scan.take()
        if scan.take() != ":":
            raise scan.fail("look-around and named groups are not known")
    scan.out.append("(")
    scan.repeats.append(1)
    scan.last_product = 0


def _close_group(scan: _Scanner) -> None:
    if len(scan.repeats) == 1:
        raise scan.fail("a group is closed that was not opened")
    scan.out.append(")")
    scan.last_product = scan.repeats.pop()
    scan.repeats[-1] = max(scan.repeats[-1], scan.last_product)


def _escape(scan: _Scanner) -> str:
    char = scan.take()
    if char in _CLASSES:
        return f"[{_CLASSES[char]}]"
    if char.upper() != char and char in "ntr":
        return f"\\{char}"
    if char not in _PLAIN_ESCAPES:
        raise scan.fail(f"\\{char} is not known")
    return f"\\{char}" if char in "\\.^$|?*+()[]{}-/" else char


def _character_class(scan: _Scanner) -> str:
    parts = ["["]
    if scan.peek() == "^":
        parts.append(scan.take())
    if scan.peek() == "]":
        raise scan.fail("a character class is empty")
    while (char := scan.take()) != "]":
        if char != "\\":
            parts.append(char)
            continue
        escaped = scan.take()
        if escaped not in _CLASSES and escaped not in _PLAIN_ESCAPES:
            raise scan.fail(f"\\{escaped} is not known")
        parts.append(_CLASSES.get(escaped, f"\\{escaped}"))
    return "".join(parts) + "]"


def _repetition(scan: _Scanner, char: str) -> None:
    if not scan.last_product:
        raise scan.fail(f"nothing stands before {char}")
    bound = 1
    if char == "{":
        char, bound = _bounds(scan)
    product = scan.last_product * bound
    if product > MAX_REPEAT_PRODUCT:
        raise scan.fail(f"its nested repetitions multiply to more than {MAX_REPEAT_PRODUCT}")
    scan.repeats[-1] = max(scan.repeats[-1], product)
    if scan.peek() and scan.peek() in "?*+{":
        raise scan.fail("lazy, possessive and doubled repetitions are not known")
    scan.out.append(char)
    scan.last_product = 0


def _bounds(scan: _Scanner) -> tuple[str, int]:
    digits = ""
    while (char := scan.take()) != "}":
        digits += char
    low, comma, high = digits.partition(",")
    if not low.isascii() or not low.isdigit() or (high and not (high.isascii() and high.isdigit())):
        raise scan.fail(f"{{{digits[:20]}}} is no repetition")
    bounds = [int(low), int(high) if high else int(low)] if len(digits) < 20 else [MAX_REPEAT + 1]
    if max(bounds) > MAX_REPEAT or bounds[0] > bounds[-1]:
        raise scan.fail(f"a repetition must lie between 0 and {MAX_REPEAT}, the smaller bound first")
    return f"{{{low}{comma}{high}}}", max(bounds[-1], 1)
