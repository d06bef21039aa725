"""The web pages as `./dev web` built them: under `/ui/`, from memory, and under whatever path a proxy puts the server.

Paths below `/ui/` that are no file are the pages' own: each gets the same document, with a `<base>` that leads back to
`/ui/` from there. It is relative, so no proxy needs to tell us its path.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import openfm
from openfm.core.errors import ApiError, MethodNotAllowed, NotFound
from openfm.gateway.asgi import Header, Receive, Scope, Send
from openfm.wire.manner import ErrorShape
from openfm.wire.problems import problem

_ROOT = "/ui/"
_ASSETS = "assets/"  # names with a hash in them: what they hold never changes
_DOCUMENT = "index.html"
_BASE, _NONCE = b"__OPENFM_BASE__", b"__OPENFM_NONCE__"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))  # the smallest first
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".ico": b"image/x-icon",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".woff2": b"font/woff2",
}
_SECURITY: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_MISSING = b"The web pages were not built. In a checkout of openfm, run `./dev web`; an installed openfm has them.\n"


@dataclass(frozen=True, slots=True)
class _File:
    content_type: bytes
    plain: bytes
    encoded: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: tuple[Header, ...]
    body: bytes


def pages_folder() -> Path:
    """Where the built pages are: in the package, or in the checkout that it is run from."""
    package = Path(openfm.__file__).parent
    inside = package / "pages"
    return inside if inside.is_dir() else package.parent.parent / "web" / "dist"


class Pages:
    """An ASGI application for `/` and everything below `/ui/` but the session."""

    def __init__(self, folder: Path) -> None:
        """Read all files. Blocks."""
        self._files = _read(folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        try:
            answer = self._answer(scope)
        except ApiError as error:
            refused = problem(error, ErrorShape.DATABRICKS)
            answer = _Answer(refused.status, ((b"content-type", b"application/json"),), refused.body)
        headers = [*answer.headers, *_SECURITY, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    def _answer(self, scope: Scope) -> _Answer:
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(method, "GET")
        if not path.startswith(_ROOT):
            # Relative to whatever the client asked for: "/" and "/ui" both lie in the folder that holds "ui".
            return _Answer(302, ((b"location", b"ui/"), (b"cache-control", b"no-cache")), b"")
        name = path.removeprefix(_ROOT)
        if name.startswith(_ASSETS):
            file = self._files.get(name)
            if file is None:  # of another version of openfm: a document in its place would be run as a script
                raise NotFound(f"There is no {path} in this version of the pages. Load the page again.")
            return _file_answer(file, scope, b"public, max-age=31536000, immutable")
        file = self._files.get(name)
        if file is not None and name != _DOCUMENT:
            return _file_answer(file, scope, b"no-cache")
        return self._document(scope)

    def _document(self, scope: Scope) -> _Answer:
        document = self._files.get(_DOCUMENT)
        if document is None:
            return _Answer(503, ((b"content-type", _TYPES[".txt"]), (b"cache-control", b"no-store")), _MISSING)
        nonce = secrets.token_urlsafe(16)
        depth = scope.get("raw_path", scope["path"].encode()).count(b"/") - _ROOT.count("/")
        base = "../" * depth or "./"
        body = document.plain.replace(_BASE, base.encode()).replace(_NONCE, nonce.encode())
        headers = (
            (b"content-type", document.content_type),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", _POLICY.format(nonce=nonce).encode()),
        )
        return _Answer(200, headers, body)


def _read(folder: Path) -> Mapping[str, _File]:
    files = {}
    for path in sorted(folder.rglob("*")):
        content_type = _TYPES.get(path.suffix)
        if content_type is None or not path.is_file():
            continue
        encoded = {
            name: beside.read_bytes()
            for name, suffix in _ENCODINGS
            if (beside := path.with_name(path.name + suffix)).is_file()
        }
        files[path.relative_to(folder).as_posix()] = _File(content_type, path.read_bytes(), encoded)
    return files


def _file_answer(file: _File, scope: Scope, caching: bytes) -> _Answer:
    headers = ((b"content-type", file.content_type), (b"cache-control", caching), (b"vary", b"accept-encoding"))
    accepted = _accepted(scope)
    for encoding, body in file.encoded.items():
        if encoding in accepted:
            return _Answer(200, (*headers, (b"content-encoding", encoding.encode())), body)
    return _Answer(200, headers, file.plain)


def _accepted(scope: Scope) -> frozenset[str]:
    """The encodings that the client takes; one with `q=0` is refused."""
    given = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding").decode("latin-1")
    found = set()
    for part in given.split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            found.add(name.strip().lower())
    return frozenset(found)
