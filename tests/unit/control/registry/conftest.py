"""A registry on a database and a folder of its own, with neighbours that answer as they are told."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from openfm.catalog.catalog import load_catalog
from openfm.control.files.paths import parse_path
from openfm.control.registry.setup import Neighbours, Registry
from openfm.core.errors import ApiError
from openfm.core.principal import Principal
from openfm.core.registry import ModelName
from openfm.scheduling.profile import Hardware
from openfm.scheduling.work import Throughput
from openfm.store.blobs import BlobStore
from openfm.store.database import Database
from openfm.store.registry_tables import registered_models

OWNER, OTHER = Principal("2", "owner@example.com"), Principal("3", "other@example.com")
ADMIN = Principal("1", "admin", is_admin=True)
NAME = ModelName.parse("main.default.m")
FACTS: Mapping[str, Any] = {
    "format": "gguf",
    "architecture": "llama",
    "model_type": "llama",
    "task": "llm/v1/chat",
    "context_length": 2048,
    "parameters": 1_000_000_000,
    "embedding": None,
    "has_function_calling": True,
    "chat_template": "{{ messages }}",
}


@dataclass(frozen=True)
class Inspected:
    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return dict(self.facts)


@dataclass
class World:
    """Everybody but the registry."""

    served: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    executors: set[str] = field(default_factory=set)
    verdict: Mapping[str, Any] | ApiError = field(default_factory=lambda: FACTS)
    seen: dict[str, bytes] = field(default_factory=dict)
    hub: Mapping[str, bytes] | ApiError | OSError | None = None
    fetching: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def own_model(self, connection: Connection, model_id: str, owner: Principal) -> None:
        self.hand_over_model(connection, model_id, owner.name)

    def hand_over_model(self, connection: Connection, model_id: str, owner: str) -> None:
        query = select(registered_models.c.full_name).where(registered_models.c.id == model_id)
        self.owners[connection.execute(query).scalar_one()] = owner

    def may_execute(self, caller: Principal, full_name: str) -> bool:
        is_open = full_name.startswith("system.ai.") or caller.name in self.executors
        return is_open or self.may_manage(caller, full_name)

    def may_manage(self, caller: Principal, full_name: str) -> bool:
        return caller.is_admin or caller.name == self.owners.get(full_name)

    def take_over(self, connection: Connection) -> Callable[[], None]:
        del connection
        return lambda: None

    def throughput(self, version_ids: frozenset[str], parameters: int) -> Throughput:
        assert version_ids
        return Hardware("A processor", 2, 1 << 34).expected(parameters)

    def serving(self, version_ids: frozenset[str]) -> Sequence[str]:
        return () if self.served.isdisjoint(version_ids) else ["endpoint"]

    def settled(self) -> AbstractContextManager[None]:
        return nullcontext()

    def inspect(self, folder: Path) -> Inspected:
        self.seen = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        if isinstance(self.verdict, ApiError):
            raise self.verdict
        return Inspected(self.verdict)

    async def fetch(self, source: str, folder: Path, on_progress: Callable[[int, int], None]) -> Path:
        del source
        on_progress(1, 2)
        self.fetching.set()
        await self.released.wait()
        if self.hub is None:
            raise AssertionError("nothing to fetch")
        if isinstance(self.hub, ApiError | OSError):
            raise self.hub
        for path, content in self.hub.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def registry(tmp_path: Path, world: World) -> Iterator[Registry]:
    database = Database(f"sqlite:///{tmp_path / 'openfm.db'}")
    database.migrate()
    made = Registry(
        database, BlobStore(tmp_path / "blobs"), load_catalog(), Neighbours(world, world, world.inspect, world, world)
    )
    made.prepare()
    yield made
    database.close()


def put(registry: Registry, path: str, content: bytes, version: int = 1) -> None:
    """Upload a whole file to `NAME`."""
    where = parse_path(f"/Models/main/default/m/{version}/{path}")
    with registry.files.receive() as writer:
        writer.write(content)
        registry.files.put(where, OWNER, writer.commit(), overwrite=True)


def contents(registry: Registry) -> int:
    """How many contents are stored."""
    return sum(1 for _ in registry.resources.blobs.root.glob("??/*"))
