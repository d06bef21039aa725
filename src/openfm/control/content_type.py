"""Bodies are JSON whatever their content type says: official samples misspell it, and curl -d sends a form's."""

from starlette.types import ASGIApp, Receive, Scope, Send

_ROOTS = ("/api/2.0/", "/api/2.1/")
_BYTES = "/api/2.0/fs/files/"
_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class AlwaysJson:
    """Says `application/json` to the routes whose bodies are JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "http" and scope["method"] in _METHODS and _is_json(scope["path"]):
            headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
            scope = {**scope, "headers": [*headers, (b"content-type", b"application/json")]}
        await self._app(scope, receive, send)


def _is_json(path: str) -> bool:
    return path.startswith(_ROOTS) and not path.startswith(_BYTES)
