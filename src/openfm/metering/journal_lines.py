"""A line of a journal: what it says, the CRC-32 of that in hexadecimal digits, and the end of the line.

The text is UTF-8 JSON, which has no line breaks; so a line that is torn, or overwritten with something else, is known
by itself, and the next one is found again.
"""

import zlib
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import msgspec

from openfm.core.ledger import MOST_TOKENS, Checkpoint, LedgerEntry, Settlement
from openfm.core.usage import TokenCounts

Event = LedgerEntry | Checkpoint | Settlement
V = TypeVar("V")

_LETTERS: dict[type[Event], bytes] = {LedgerEntry: b"R", Checkpoint: b"C", Settlement: b"S"}
_CRC_DIGITS = 8
_NUL_IN_JSON = b"\\u0000"
_encoder = msgspec.json.Encoder()
_decoders: dict[bytes, msgspec.json.Decoder[Any]] = {
    letter: msgspec.json.Decoder(kind) for kind, letter in _LETTERS.items()
}


class UnreadableEvent(Exception):
    """A line is whole, but another version of openfm wrote it and this one cannot read it."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Part of a journal: its events, whole lines that could not be read, and the bytes that all of them took.

    A void line, torn or damaged, is passed over: nothing relied on it.
    """

    events: tuple[Event, ...]
    unreadable: int
    size: int


def encode(event: Event) -> bytes:
    """The event's line. Text that is none (half a surrogate pair) is replaced."""
    try:
        text = _LETTERS[type(event)] + _encoder.encode(event)
    except UnicodeEncodeError:
        text = _LETTERS[type(event)] + _encoder.encode(_clean(event))
    return b"%b%08x\n" % (text, zlib.crc32(text))


def decode(data: bytes) -> Lines:
    """The events in the whole lines of `data`; what follows the last end of a line is left for later."""
    end = data.rfind(b"\n") + 1
    events: list[Event] = []
    unreadable = 0
    for line in data[:end].split(b"\n"):
        text, crc = line[:-_CRC_DIGITS], line[-_CRC_DIGITS:]
        if b"%08x" % zlib.crc32(text) != crc or not text:
            continue
        try:
            events.append(_event(text))
        except UnreadableEvent:
            unreadable += 1
    return Lines(tuple(events), unreadable, end)


def _event(text: bytes) -> Event:
    decoder = _decoders.get(text[:1])
    if decoder is None:
        raise UnreadableEvent
    try:
        event: Event = decoder.decode(text[1:])
    except msgspec.DecodeError:
        raise UnreadableEvent from None
    return _clean(event) if _NUL_IN_JSON in text else event


def bounded(counts: TokenCounts) -> TokenCounts:
    """The counts without what cannot be: negative ones, parts above their whole, more than `MOST_TOKENS`."""
    prompt, completion = (min(max(0, number), MOST_TOKENS) for number in (counts.prompt, counts.completion))
    cached, reasoning = min(max(0, counts.cached), prompt), min(max(0, counts.reasoning), completion)
    return TokenCounts(prompt=prompt, completion=completion, cached=cached, reasoning=reasoning)


def _clean(value: V) -> V:
    """The value with text in it that every database can keep."""
    if isinstance(value, str):
        return type(value)(value.encode("utf-8", "replace").decode().replace("\0", "\ufffd"))
    if isinstance(value, tuple):
        return type(value)(_clean(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _clean(getattr(value, field.name)) for field in fields(value)})
    return value
