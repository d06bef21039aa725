"""Brings the files of models here, in the form that an engine reads: pulled, or out of the registry and converted."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from openfm.core.endpoint import Deployment, DeploymentState, ServedEntity
from openfm.core.errors import ApiError, NotFound
from openfm.telemetry.survival import survived

log = structlog.get_logger(__name__)

_RETRY_S = 60.0
_LONGEST_LOG = 500


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model that can be started: its engine, its files and their SHA-256 by role, and what memory it takes.

    `weight_bytes` are those of the weights, `sequence_bytes` of one sequence's KV cache.
    """

    engine: str
    files: Mapping[str, Path]
    digests: Mapping[str, str]
    weight_bytes: int
    sequence_bytes: int


Tell = Callable[[str], None]


class ModelSource(Protocol):
    """Knows where some models come from."""

    async def bring(self, entity_name: str, entity_version: str, tell: Tell) -> ReadyModel | None:
        """The model, or None if this source does not have it. `tell` takes sentences about the progress.

        Raises an `ApiError` with the reason.
        """
        ...

    def forget(self, entity_name: str, entity_version: str) -> None:
        """Nobody needs the model's files any more, until it is brought again. Does not wait."""
        ...


@dataclass(slots=True)
class _Shelf:
    """One model version: where it stands. `lines` is replaced, never changed: other threads read it."""

    state: Deployment
    lines: tuple[str, ...] = ()
    model: ReadyModel | None = None
    work: asyncio.Task[None] | None = None


class Depot:
    """Models by name and version; each is brought once, when it is first wanted. A failed one is tried again."""

    def __init__(
        self, sources: tuple[ModelSource, ...], on_change: Callable[[], None], retry_s: float = _RETRY_S
    ) -> None:
        self._sources = sources
        self._retry_s = retry_s
        self._on_change = on_change
        self._shelves: dict[tuple[str, str], _Shelf] = {}

    def model(self, entity: ServedEntity) -> ReadyModel | None:
        """The entity's model if it is here; asking for it begins to bring it."""
        key = (entity.entity_name, entity.entity_version)
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = _Shelf(Deployment(DeploymentState.CREATING, "Looking for its files."))
            self._shelves[key] = shelf
            shelf.work = asyncio.create_task(self._bring(key, shelf), name=f"bring {key[0]} {key[1]}")
        return shelf.model

    def renew(self, entity: ServedEntity) -> None:
        """Forget that the entity's files could not be brought; the next question for them tries again at once."""
        if self.has_failed(entity):
            self._drop((entity.entity_name, entity.entity_version))

    def forget_all_but(self, wanted: frozenset[tuple[str, str]]) -> None:
        """Drop what no endpoint serves any more: its name and version may come to mean other files."""
        for key in self._shelves.keys() - wanted:
            self._drop(key)

    def missing(self, entity: ServedEntity) -> Deployment | None:
        """How the entity's files are doing, or None once they are here or where it needs none."""
        if entity.external is not None:
            return None
        shelf = self._shelves.get((entity.entity_name, entity.entity_version))
        if shelf is None:
            return Deployment(DeploymentState.CREATING, "Waiting for its turn.")
        return None if shelf.model is not None else shelf.state

    def has_failed(self, entity: ServedEntity) -> bool:
        """Whether the entity's files could not be brought, the last time."""
        missing = self.missing(entity)
        return missing is not None and missing.state is DeploymentState.FAILED

    def build_log(self, entity: ServedEntity) -> str:
        """What happened to the entity's files so far."""
        shelf = self._shelves.get((entity.entity_name, entity.entity_version))
        return "".join(f"{line}\n" for line in shelf.lines) if shelf else ""

    async def close(self) -> None:
        """Give up all work."""
        tasks = [shelf.work for shelf in self._shelves.values() if shelf.work is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self, key: tuple[str, str]) -> None:
        shelf = self._shelves.pop(key)
        if shelf.work is not None:
            shelf.work.cancel()
        for source in self._sources:
            source.forget(*key)

    async def _bring(self, key: tuple[str, str], shelf: _Shelf) -> None:
        def tell(sentence: str) -> None:
            shelf.state = Deployment(DeploymentState.CREATING, sentence)
            _note(shelf, sentence)

        while shelf.model is None:
            with survived("model.not_brought", model=key[0], version=key[1]) as outcome:
                try:
                    shelf.model = await self._from_a_source(key, tell)
                    _note(shelf, f"Ready for {shelf.model.engine}.")
                except (ApiError, OSError) as error:
                    reason = error.message if isinstance(error, ApiError) else _told(error)
                    _fail(shelf, reason)
                    log.error("model.not_brought", model=key[0], version=key[1], reason=reason, error=repr(error))  # noqa: TRY400
            if outcome.error is not None:
                _fail(shelf, f"openfm made an error of its own: {outcome.error!r}. The server tries again.")
            self._on_change()
            if shelf.model is None:
                await asyncio.sleep(self._retry_s)

    async def _from_a_source(self, key: tuple[str, str], tell: Tell) -> ReadyModel:
        for source in self._sources:
            model = await source.bring(*key, tell)
            if model is not None:
                return model
        raise NotFound(
            f"Version {key[1]} of '{key[0]}' is not to be had any more. Update the endpoint to a version that is."
        )


def _told(error: OSError) -> str:
    return (
        f"The model's files could not be read or written: {error.strerror or error}. "
        "Check the disk of the models folder and its permissions; the server tries again."
    )


def _fail(shelf: _Shelf, reason: str) -> None:
    shelf.state = Deployment(DeploymentState.FAILED, reason)
    _note(shelf, reason)


def _note(shelf: _Shelf, sentence: str) -> None:
    if not shelf.lines or not shelf.lines[-1].endswith(sentence):
        line = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {sentence}"
        shelf.lines = (*shelf.lines, line)[-_LONGEST_LOG:]
