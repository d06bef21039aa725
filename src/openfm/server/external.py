"""External models get their key when they are started: it is in no plan, no comparison and no log."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from openfm.core.errors import EngineFailed
from openfm.core.external import ExternalModel, SecretReference, fits_header
from openfm.engines.base import EngineSpec, Launcher, LoadProgress, RunningEngine

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
