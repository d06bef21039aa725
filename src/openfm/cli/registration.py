"""Registers a version from the command line: this machine's files are uploaded, the hub's are fetched by the server."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from openfm.cli.client import connected
from openfm.cli.errors import CliError
from openfm.cli.profile import Server
from openfm.cli.registry import Facts, Registry
from openfm.cli.text import neutral
from openfm.cli.upload import OnBytes, Target, Uploader, find_files, measured, source_digest

KIND_TAG, QUANTIZATION_TAG, BASE_TAG = "openfm.source_kind", "openfm.quantization", "openfm.base"
_DIGEST_TAG = "openfm.source_digest"
_PENDING, _FAILED = "PENDING_REGISTRATION", "FAILED_REGISTRATION"
_HUB = ("hf://", "https://", "http://", "huggingface.co/")
_POLL_S = 1.0
_LINE_EVERY_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Order:
    """What to register."""

    name: str
    source: str
    comment: str
    tags: dict[str, str]
    alias: str | None


async def register_version(server: Server, order: Order) -> Facts:
    """The version, with its alias. Raises `CliError`, also when its files cannot be trusted."""
    async with connected(server) as client:
        registry = Registry(client)
        is_of_hub = order.source.startswith(_HUB)
        done = await (_fetched(registry, order) if is_of_hub else _uploaded(registry, order))
        if done["status"] == _FAILED:
            raise CliError(f"Version {done['version']} of {order.name} failed: {done['status_message']}")
        if reason := done.get("unservable_reason"):
            sys.stderr.write(f"Registered, but no endpoint can serve it: {neutral(reason)}\n")
        if order.alias:
            await registry.set_alias(order.name, order.alias, done["version"])
            return await registry.version(order.name, done["version"])
        return done


async def _fetched(registry: Registry, order: Order) -> Facts:
    """Let the server fetch it; tell how it goes on."""
    tags = [{"key": key, "value": value} for key, value in order.tags.items()]
    body = {"source": order.source, "comment": order.comment, "tags": tags}
    version = await registry.fetch(order.name, body)
    told = ""
    while version["status"] == _PENDING:
        if (message := version.get("status_message", "")) != told:
            sys.stderr.write(f"{neutral(message)}\n")
            told = message
        await asyncio.sleep(_POLL_S)
        version = await registry.version(order.name, version["version"])
    return version


async def _uploaded(registry: Registry, order: Order) -> Facts:
    source = Path(order.source)
    found = find_files(source)
    total = sum(path.stat().st_size for path in found.values())
    with _progress("Reading", total) as on_bytes:
        files = await asyncio.to_thread(measured, found, on_bytes)
    await registry.ensure_model(order.name)
    version = await _begun(registry, order, source_digest(files))
    target = Target(order.name, version["version"], version["storage_location"])
    with _progress("Sending", total) as on_bytes:
        await Uploader(registry, target, on_bytes).send(files)
    sys.stderr.write("Checking the files.\n")
    return await registry.finalize(order.name, version["version"])


async def _begun(registry: Registry, order: Order, digest: str) -> Facts:
    """The version that an earlier run began with the same files, or a new one."""
    wanted = order.tags | {_DIGEST_TAG: digest}
    for version in await registry.versions(order.name):
        tags = {tag["key"]: tag["value"] for tag in version.get("tags", [])}
        if version["status"] == _PENDING and wanted.items() <= tags.items():
            sys.stderr.write(f"Going on with version {version['version']}.\n")
            return version
    tags_list = [{"key": key, "value": value} for key, value in wanted.items()]
    body = {"source": order.source, "comment": order.comment, "tags": tags_list}
    return await registry.create_version(order.name, body)


@contextmanager
def _progress(what: str, total: int) -> Iterator[OnBytes]:
    """A bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(what, total).add
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda size: progress.advance(task, size)


class _Lines:
    """Writes a line at each fifth."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done, self._told = what, max(1, total), 0, 0

    def add(self, size: int) -> None:
        """So many more bytes."""
        self._done += size
        percent = 100 * self._done // self._total
        if percent >= self._told + _LINE_EVERY_PERCENT or (percent == 100 and self._told < 100):
            self._told = percent - percent % _LINE_EVERY_PERCENT
            sys.stderr.write(f"{self._what}: {percent} % of {self._total:,} bytes\n")
