"""The pages: files, their caching and headers, and the document that stands for every path of the pages' own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from openfm.server.pages import Pages

_DOCUMENT = '<base href="__OPENFM_BASE__"><meta name="nonce" content="__OPENFM_NONCE__">'


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(_DOCUMENT)
    (tmp_path / "icon.svg").write_text("<svg/>")
    script = tmp_path / "assets" / "app-0a1b.js"
    script.write_text("plain")
    script.with_name("app-0a1b.js.br").write_bytes(b"brotli")
    script.with_name("app-0a1b.js.gz").write_bytes(b"gzip")
    (tmp_path / "notes.exe").write_bytes(b"not ours")
    return Pages(tmp_path)


async def ask(pages: Pages, path: str, method: str = "GET", **headers: str) -> Answer:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    await pages(scope, _no_receive, send)
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], got, sent[1]["body"])


async def _no_receive() -> Any:
    raise AssertionError("pages read no body")


@pytest.mark.parametrize("path", ["/", "/ui"])
@pytest.mark.parametrize("prefix", ["", "/behind/a/proxy"])
async def test_the_root_leads_to_the_pages_under_any_path(pages: Pages, path: str, prefix: str) -> None:
    answer = await ask(pages, path)
    assert answer.status == 302
    assert urljoin(f"http://host{prefix}{path}", answer.headers["location"]) == f"http://host{prefix}/ui/"


@pytest.mark.parametrize("path", ["/ui/", "/ui/endpoints", "/ui/endpoints/a", "/ui/models/a/b/c", "/ui/endpoints/a/"])
@pytest.mark.parametrize("prefix", ["", "/behind/a/proxy"])
async def test_every_page_finds_its_files_under_any_path(pages: Pages, path: str, prefix: str) -> None:
    answer = await ask(pages, path)
    assert answer.status == 200
    base = answer.body.decode().split('"')[1]
    assert urljoin(f"http://host{prefix}{path}", base) == f"http://host{prefix}/ui/"


async def test_each_document_has_a_nonce_of_its_own(pages: Pages) -> None:
    first, second = [await ask(pages, "/ui/") for _ in range(2)]
    nonce = first.body.decode().split('"')[5]
    assert f"'nonce-{nonce}'" in first.headers["content-security-policy"]
    assert first.body != second.body
    assert first.headers["cache-control"] == "no-store"


async def test_the_policy_allows_nothing_from_other_hosts(pages: Pages) -> None:
    policy = (await ask(pages, "/ui/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    for loose in ("unsafe", "http:", "https:", "*"):
        assert loose not in policy


@pytest.mark.parametrize("path", ["/", "/ui/", "/ui/assets/app-0a1b.js", "/ui/assets/gone.js", "/ui/icon.svg"])
async def test_every_answer_has_the_security_headers(pages: Pages, path: str) -> None:
    headers = (await ask(pages, path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("accepts", "encoding", "body"),
    [
        ("gzip, br", "br", b"brotli"),
        ("gzip", "gzip", b"gzip"),
        ("br;q=0, gzip", "gzip", b"gzip"),
        ("identity", None, b"plain"),
    ],
)
async def test_files_come_compressed_to_who_takes_it(
    pages: Pages, accepts: str, encoding: str | None, body: bytes
) -> None:
    answer = await ask(pages, "/ui/assets/app-0a1b.js", accept_encoding=accepts)
    assert (answer.headers.get("content-encoding"), answer.body) == (encoding, body)
    assert answer.headers["vary"] == "accept-encoding"
    assert "immutable" in answer.headers["cache-control"]


async def test_a_script_of_another_version_is_missing_and_no_document(pages: Pages) -> None:
    answer = await ask(pages, "/ui/assets/app-ffff.js")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/ui/../secret", "/ui/notes.exe", "/ui/assets/../index.html", "/ui//etc/passwd"])
async def test_nothing_but_the_built_files_is_read(pages: Pages, path: str) -> None:
    answer = await ask(pages, path)
    assert b"not ours" not in answer.body
    assert answer.status in (200, 404)


async def test_pages_are_only_read(pages: Pages) -> None:
    assert (await ask(pages, "/ui/", "POST")).status == 405
    head = await ask(pages, "/ui/", "HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_pages_that_were_not_built_say_how(tmp_path: Path) -> None:
    answer = await ask(Pages(tmp_path), "/ui/")
    assert answer.status == 503
    assert b"./dev web" in answer.body
