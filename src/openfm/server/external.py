"""External models get their key when they are started: it is in no plan, no comparison and no log."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from openfm.core.endpoint import ServedEntity
from openfm.core.errors import ApiError, EngineFailed, NoReplicaReady
from openfm.core.external import ExternalModel, SecretReference, fits_header
from openfm.engines.base import EngineSpec, Launcher, LoadProgress, RunningEngine
from openfm.server.held_engine import HeldEngine

EXTERNAL_SLOTS = 1024
_RETRY_S = 60.0
_URL, _MODEL, _HEADER = "url", "model", "header"
_REFERENCE, _SCOPE, _READER, _CIPHERTEXT = "key_reference", "key_scope", "key_reader", "key_ciphertext"


class KeyOpener(Protocol):
    """Knows the keys behind what is stored of them. Blocks."""

    def read(self, reference: SecretReference) -> str:
        """The secret, for whoever referred to it. Raises `NotFound`, `PermissionDenied`."""
        ...

    def decrypt(self, ciphertext: str) -> str:
        """What was encrypted."""
        ...


def external_options(model: ExternalModel) -> Mapping[str, str]:
    """What a spec says of an external model: never the key itself."""
    options = {_URL: model.url, _MODEL: model.name, _HEADER: model.header}
    reference = model.key.reference
    if reference is not None:
        options |= {_REFERENCE: reference.text, _SCOPE: reference.scope_id, _READER: reference.reader_id}
    if model.key.ciphertext is not None:
        options[_CIPHERTEXT] = model.key.ciphertext
    return options


def external_spec(entity: ServedEntity, model: ExternalModel, folder: Path) -> EngineSpec:
    """What starts a client of it; nothing is written to `folder`."""
    return EngineSpec(
        replica_id=f"{entity.deployment_id}-1",
        model=entity.model,
        files={},
        slots=EXTERNAL_SLOTS,
        threads=1,
        log_file=folder / "external.log",
        runtime_dir=folder,
        options=external_options(model),
    )


class KeyedLauncher:
    """Opens the key, then launches."""

    def __init__(self, launcher: Launcher, keys: KeyOpener) -> None:
        self._launcher = launcher
        self._keys = keys

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningEngine:
        """See `Launcher.launch`."""
        options = dict(spec.options)
        reference, ciphertext = options.pop(_REFERENCE, None), options.pop(_CIPHERTEXT, None)
        if reference is not None:
            meant = SecretReference(reference, options.pop(_SCOPE), options.pop(_READER))
            secret = await asyncio.to_thread(self._keys.read, meant)
        elif ciphertext is not None:
            secret = await asyncio.to_thread(self._keys.decrypt, ciphertext)
        else:
            raise EngineFailed("The external model has no key. Update the endpoint with one.")
        if not fits_header(secret):
            raise EngineFailed(
                "The external model's key cannot go into a header: it must be visible ASCII, without spaces or line "
                "ends around it. Put the secret again."
            )
        return await self._launcher.launch(replace(spec, options=options, secret=secret), on_progress)


class ExternalEngines:
    """Clients of external models as a gateway process makes them: at the first request, all who wait for the same."""

    def __init__(self, launcher: Launcher, is_served: Callable[[str], bool], folder: Path) -> None:
        self._launcher = launcher
        self._is_served = is_served
        self._folder = folder
        self._launched: dict[str, asyncio.Task[HeldEngine]] = {}

    async def ready(self, entity: ServedEntity) -> Sequence[HeldEngine]:
        """The client. Raises `NoReplicaReady` where it cannot be made."""
        launching = self._launched.get(entity.deployment_id)
        if launching is None:
            launching = asyncio.create_task(self._launch(entity), name=f"launch {entity.name}")
            self._launched[entity.deployment_id] = launching
        try:
            return (await asyncio.shield(launching),)
        except ApiError as error:
            self._launched.pop(entity.deployment_id, None)
            sentence = f"{entity.name} could not be started. Its owner finds the reason in the endpoint's state."
            raise NoReplicaReady(sentence, retry_after_s=_RETRY_S) from error

    def sweep(self) -> None:
        """Let go of those that no endpoint serves any more."""
        for gone in [known for known in self._launched if not self._is_served(known)]:
            launched = self._launched.pop(gone)
            if launched.done() and not launched.cancelled() and launched.exception() is None:
                launched.result().let_go()

    async def _launch(self, entity: ServedEntity) -> HeldEngine:
        if entity.external is None:
            raise AssertionError("asked only for external models")
        spec = external_spec(entity, entity.external, self._folder)
        running = await self._launcher.launch(spec, lambda _: None)
        return HeldEngine(spec.replica_id, spec.slots, running.engine)
