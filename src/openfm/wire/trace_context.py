"""The caller's trace (W3C Trace Context, https://www.w3.org/TR/trace-context/)."""

import re
from collections.abc import Iterable

_HEADER = b"traceparent"
_FORM = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_parent(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The header's value; None without one, or with one that is none."""
    for name, value in headers:
        if name == _HEADER and _FORM.fullmatch(value):
            return value.decode()
    return None
