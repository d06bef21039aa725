"""Absolute URLs of this server."""

import re
from collections.abc import MutableMapping
from typing import Any

_HOST = re.compile(rb"[A-Za-z0-9._\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def base_url(public_url: str | None, scope: MutableMapping[str, Any]) -> str:
    """`public_url` if the operator set one, else what the client itself called; no slash at the end."""
    if public_url:
        return public_url.rstrip("/")
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    if not _HOST.fullmatch(host):
        address, port = scope["server"]
        host = f"{address}:{port}".encode()
    return f"{scope['scheme']}://{host.decode()}"
