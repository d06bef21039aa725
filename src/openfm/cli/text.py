"""Text of others, made harmless for a terminal."""

_C0, _DEL, _C1 = range(0x20), 0x7F, range(0x80, 0xA0)
_KEPT = {"\n", "\t"}
_DIRECTION_MARKS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))

# Control pictures (U+2400 and on) show that something was there; escape sequences without their ESC are plain text.
_HARMLESS = {
    **{code: chr(0x2400 + code) for code in _C0 if chr(code) not in _KEPT},
    _DEL: "\u2421",
    **dict.fromkeys((*_C1, *_DIRECTION_MARKS), "\ufffd"),
}


def neutral(text: str) -> str:
    """The text with control characters shown instead of obeyed; character by character, so pieces may be split."""
    return text.translate(_HARMLESS)
