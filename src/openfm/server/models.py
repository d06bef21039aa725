"""Brings the default models to life: pulls their files, then asks the fleet for a replica of each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from openfm.catalog.catalog import CatalogModel
from openfm.core.endpoint import Deployment, DeploymentState, ServedEntity
from openfm.core.errors import ApiError
from openfm.core.model import Task
from openfm.engines.base import EngineSpec, Launcher
from openfm.fleet.reconciler import DesiredReplica, GroupKey
from openfm.fleet.roster import Fleet
from openfm.ops.pull import OnProgress, PullProgress, PullTools, Stage, pull

log = structlog.get_logger(__name__)

_RETRY_S = 60.0
_EMBEDDING_SLOTS = 32


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How replicas are started: sequences at once, CPU threads, and where they log and keep sockets."""

    slots: int
    threads: int
    log_dir: Path
    runtime_dir: Path


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Where weights come from and where they are kept."""

    models_dir: Path
    tools: PullTools
    on_progress: OnProgress


class DefaultModels:
    """The desired set of this version: one replica of every default model whose files are here."""

    def __init__(
        self,
        models: Sequence[CatalogModel],
        warehouse: Warehouse,
        engines: EngineSettings,
        launchers: Callable[[str], Launcher],
    ) -> None:
        self._models = models
        self._warehouse = warehouse
        self._engines = engines
        self._launchers = launchers
        self._desired: dict[GroupKey, DesiredReplica] = {}
        self._pulls: dict[GroupKey, Deployment] = {
            _group(model): Deployment(DeploymentState.CREATING, "Looking for its files.") for model in models
        }

    def desired(self) -> Sequence[DesiredReplica]:
        """What the reconciler should keep running."""
        return tuple(self._desired.values())

    def pulling(self, entity: ServedEntity) -> Deployment | None:
        """How the entity's download is doing, or None once its files are here."""
        return self._pulls.get((entity.entity_name, entity.entity_version))

    async def provide(self, on_change: Callable[[], None]) -> None:
        """Pull every model, one after the other; a failed one is tried again every minute until it is here."""
        missing = list(self._models)
        while missing:
            missing = [model for model in missing if not await self._provided(model)]
            on_change()
            if missing:
                await asyncio.sleep(_RETRY_S)

    async def _provided(self, model: CatalogModel) -> bool:
        group = _group(model)

        def note(progress: PullProgress) -> None:
            self._pulls[group] = Deployment(DeploymentState.CREATING, _sentence(progress))
            self._warehouse.on_progress(progress)

        try:
            files = await pull(model, self._warehouse.models_dir, note, self._warehouse.tools)
        except ApiError as error:
            self._pulls[group] = Deployment(DeploymentState.FAILED, error.message)
            log.error("model.not_pulled", model=model.name, reason=error.message, next_try_s=_RETRY_S)  # noqa: TRY400
            return False
        self._desired[group] = DesiredReplica(group, self._launchers(model.engine), self._spec(model, files))
        del self._pulls[group]
        return True

    def _spec(self, model: CatalogModel, files: Mapping[str, Path]) -> EngineSpec:
        engines = self._engines
        return EngineSpec(
            replica_id=f"{model.name}-1",
            model=model.profile,
            files=files,
            slots=_EMBEDDING_SLOTS if model.profile.task is Task.EMBEDDINGS else engines.slots,
            threads=engines.threads,
            log_file=engines.log_dir / f"{model.name}-1.log",
            runtime_dir=engines.runtime_dir,
        )


class LiveDeployments:
    """How served entities are doing: their download first, their replicas then."""

    def __init__(self, models: DefaultModels, fleet: Fleet) -> None:
        self._models = models
        self._fleet = fleet

    def deployment(self, entity: ServedEntity) -> Deployment:
        """The entity's state now."""
        return self._models.pulling(entity) or self._fleet.deployment(entity)


def _group(model: CatalogModel) -> GroupKey:
    return model.entity_name, model.entity_version


def _sentence(progress: PullProgress) -> str:
    if progress.stage is Stage.DOWNLOADING and progress.total_bytes:
        return f"Downloading {progress.filename} ({progress.done_bytes / progress.total_bytes:.0%})."
    return f"{progress.filename}: {progress.stage.value}."
