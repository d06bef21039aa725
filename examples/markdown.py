"""Splits Markdown into passages small enough to be one thought each: a paragraph, a list item, a table's row."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_ITEM = re.compile(r"\s*([-*+]|\d+[.)])\s+")
_RULE = re.compile(r"\s*\|?[\s:|-]+\|?\s*$")
_CELL_EDGE = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+")
_EMPHASIS = re.compile(r"\*\*|`")


@dataclass(frozen=True)
class Passage:
    """A piece of a file: the headings it stands under, and its text without Markdown's marks."""

    headings: str
    text: str


@dataclass
class _Reader:
    """What is known of the lines read so far."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    block: list[str] = field(default_factory=list)
    columns: list[str] | None = None
    is_code: bool = False

    def read(self, line: str) -> Iterator[str]:
        """Take one line; yield the blocks that it completes."""
        if _FENCE.match(line):
            yield from self.end_block()
            self.is_code = not self.is_code
        elif self.is_code:
            self.block.append(line)
        elif heading := _HEADING.match(line):
            yield from self.end_block()
            level = len(heading[1])
            self.headings = [above for above in self.headings if above[0] < level] + [(level, _plain(heading[2]))]
        elif line.lstrip().startswith("|"):
            yield from self.end_block(ends_table=False)
            yield from self._row(line)
        elif not line.strip():
            yield from self.end_block()
        else:
            if _ITEM.match(line) or self.columns is not None:
                yield from self.end_block()
            self.block.append(_ITEM.sub("", line))

    def _row(self, line: str) -> Iterator[str]:
        cells = [_plain(cell.replace("\\|", "|")) for cell in _CELL_EDGE.split(line.strip().strip("|"))]
        if self.columns is None:
            self.columns = cells
        elif not _RULE.match(line):
            first, *others = cells
            names = self.columns[1:] if len(cells) > 2 else [""]
            named = (f"{name}: {cell}" if name else cell for name, cell in zip(names, others, strict=False) if cell)
            yield ": ".join(part for part in (first, "; ".join(named)) if part)

    def end_block(self, *, ends_table: bool = True) -> Iterator[str]:
        """Yield what was gathered."""
        if self.block:
            lines, self.block = self.block, []
            yield "\n".join(lines) if self.is_code else _plain(" ".join(line.strip() for line in lines))
        if ends_table:
            self.columns = None


def split_markdown(text: str, max_bytes: int) -> Iterator[Passage]:
    """The passages of a file in their order, none longer than `max_bytes` in UTF-8."""
    reader = _Reader()
    headings = ""
    for line in text.splitlines():
        # What a heading completes still stands under the one before it.
        headings = " > ".join(name for _, name in reader.headings)
        for block in reader.read(line):
            yield from (Passage(headings, piece) for piece in _pieces(block, max_bytes))
    for block in reader.end_block():
        yield from (Passage(headings, piece) for piece in _pieces(block, max_bytes))


def clip(text: str, max_bytes: int) -> str:
    """The beginning of `text` that fits into `max_bytes` in UTF-8."""
    return text.encode()[:max_bytes].decode(errors="ignore")


def _pieces(block: str, max_bytes: int) -> Iterator[str]:
    """Cut a long block after lines and sentences; a part that is still too long, where it must be."""
    separator = "\n" if "\n" in block else " "
    parts = block.split("\n") if "\n" in block else _SENTENCE_END.split(block)
    gathered = ""
    for part in _cut(parts, max_bytes):
        longer = f"{gathered}{separator}{part}" if gathered else part
        if len(longer.encode()) > max_bytes:
            yield gathered
            longer = part
        gathered = longer
    if gathered.strip():
        yield gathered


def _cut(parts: Iterable[str], max_bytes: int) -> Iterator[str]:
    for part in parts:
        rest = part
        while len(rest.encode()) > max_bytes:
            head = clip(rest, max_bytes)
            head = head.rpartition(" ")[0].rstrip() or head
            yield head
            rest = rest[len(head) :].lstrip()
        yield rest


def _plain(text: str) -> str:
    return _EMPHASIS.sub("", _LINK.sub(r"\1", text)).strip()
