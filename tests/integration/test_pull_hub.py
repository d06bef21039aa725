"""Weights come from the Hugging Face hub through its own library, here against a hub on loopback."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

import openfm
from openfm.catalog.source import HubSource
from openfm.core.errors import ApiError, NotFound, PermissionDenied, Unavailable
from openfm.ops.pull import PullTools, pull
from tests.integration.package_index import tiny_model

COMMIT = "a" * 40
WEIGHTS = bytes(range(256)) * 400
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
REPO = "acme/tiny"
SOURCES = str(Path(openfm.__file__).parents[1])


@dataclass
class Hub:
    """A hub with one repository; `status` and `code` are answered instead when set."""

    url: str = ""
    status: int = 200
    code: str = ""
    etag: str = SHA256
    gets: int = 0

    def environ(self, home: Path) -> dict[str, str]:
        return {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": SOURCES}

    async def resolve(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status, headers={"X-Error-Code": self.code})
        self.gets += request.method == "GET"
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{self.etag}"', "X-Linked-ETag": f'"{self.etag}"'}
        return web.Response(body=WEIGHTS, headers=headers)

    async def info(self, request: web.Request) -> web.Response:
        del request
        names = ["model.safetensors", "pytorch_model.bin"]
        body = {"id": REPO, "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
        return web.json_response(body)

    async def tree(self, request: web.Request) -> web.Response:
        del request
        names = ["model.safetensors", "pytorch_model.bin"]
        return web.json_response([{"type": "file", "path": n, "size": len(WEIGHTS), "oid": "b" * 40} for n in names])


@asynccontextmanager
async def running_hub(hub: Hub | None = None) -> AsyncIterator[Hub]:
    hub = hub or Hub()
    app = web.Application()
    app.router.add_get("/acme/tiny/resolve/{revision}/{path:.+}", hub.resolve)
    app.router.add_get("/api/models/acme/tiny/revision/{revision}", hub.info)
    app.router.add_get("/api/models/acme/tiny/tree/{revision}", hub.tree)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hub
    finally:
        await runner.cleanup()


HUB_MODEL = replace(
    tiny_model(),
    sources=(HubSource(REPO),),
    files=(
        replace(
            tiny_model().files[0],
            filename="model.onnx",
            source=HubSource(REPO, path="onnx/model.onnx"),
            size_bytes=len(WEIGHTS),
            sha256=None,
        ),
    ),
)


async def test_a_file_lands_in_the_hubs_own_layout_and_is_asked_for_once(tmp_path: Path) -> None:
    async with running_hub() as hub:
        tools = PullTools(hub_environ=hub.environ(tmp_path), free_bytes=lambda _: 10**12)
        paths = await pull(HUB_MODEL, tmp_path, lambda _: None, tools)
        assert paths["model"] == tmp_path / f"hub/models--acme--tiny/snapshots/{COMMIT}/onnx/model.onnx"
        assert paths["model"].read_bytes() == WEIGHTS
        assert paths["model"].resolve().name == SHA256
        assert await pull(HUB_MODEL, tmp_path, lambda _: None, tools) == paths
        assert hub.gets == 1


async def test_content_that_is_not_what_the_hub_says_is_refused(tmp_path: Path) -> None:
    async with running_hub() as hub:
        hub.etag = "c" * 64
        tools = PullTools(hub_environ=hub.environ(tmp_path), free_bytes=lambda _: 10**12)
        with pytest.raises(Unavailable, match="SHA-256"):
            await pull(HUB_MODEL, tmp_path, lambda _: None, tools)
        hub.etag = SHA256
        paths = await pull(HUB_MODEL, tmp_path, lambda _: None, tools)
        assert paths["model"].read_bytes() == WEIGHTS


async def test_a_repository_is_fetched_without_pickled_weights(tmp_path: Path) -> None:
    model = replace(HUB_MODEL, files=())
    async with running_hub() as hub:
        tools = PullTools(hub_environ=hub.environ(tmp_path), free_bytes=lambda _: 10**12)
        paths = await pull(model, tmp_path, lambda _: None, tools)
        assert [path.name for path in paths["model"].iterdir()] == ["model.safetensors"]
        assert await pull(model, tmp_path, lambda _: None, tools) == paths


@pytest.mark.parametrize(
    ("status", "code", "kind", "word"),
    [
        (403, "GatedRepo", PermissionDenied, "HF_TOKEN"),
        (404, "RepoNotFound", NotFound, "no repository"),
        (404, "EntryNotFound", NotFound, "no file"),
        (404, "RevisionNotFound", NotFound, "no revision"),
    ],
)
async def test_the_hubs_errors_become_sentences(
    tmp_path: Path, status: int, code: str, kind: type[ApiError], word: str
) -> None:
    async with running_hub() as hub:
        hub.status, hub.code = status, code
        tools = PullTools(hub_environ=hub.environ(tmp_path), free_bytes=lambda _: 10**12)
        with pytest.raises(kind, match=word):
            await pull(HUB_MODEL, tmp_path, lambda _: None, tools)


@pytest.mark.slow  # the hub's library tries for 20 s
async def test_without_a_network_the_error_says_where_to_put_the_file(tmp_path: Path) -> None:
    async with running_hub() as hub:
        environ = hub.environ(tmp_path)
    with pytest.raises(Unavailable, match=r"model\.onnx yourself"):
        await pull(HUB_MODEL, tmp_path, lambda _: None, PullTools(hub_environ=environ, free_bytes=lambda _: 10**12))
