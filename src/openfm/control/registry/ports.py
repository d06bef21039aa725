"""What the registry asks of others."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from openfm.core.principal import Principal


class ModelGrants(Protocol):
    """Who may do what with a registered model. Owners and admins may do all, everybody may execute `system.ai.*`."""

    def may_execute(self, caller: Principal, full_name: str, owner: str) -> bool:
        """Whether the caller may see, download and serve the model."""
        ...

    def may_manage(self, caller: Principal, full_name: str, owner: str) -> bool:
        """Whether the caller may change the model."""
        ...

    def reload(self) -> None:
        """Take over what was committed: grants follow a model to its new name, and end with it. Blocks."""
        ...


class ServedVersions(Protocol):
    """Which endpoints need a model: a model that is served cannot be deleted."""

    def serving(self, full_name: str, version: int | None) -> Sequence[str]:
        """The names of the endpoints that serve this version, or any version for None."""
        ...


class InspectedModel(Protocol):
    """What inspection found out (`weights.inspection.ModelFacts`)."""

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values."""
        ...


class Inspector(Protocol):
    """Looks at the files of a version without running anything of them."""

    def __call__(self, folder: Path) -> InspectedModel:
        """The facts. Raises `InvalidParameterValue` with the reason where the files cannot be served."""
        ...


class Fetcher(Protocol):
    """Brings the files of an outside source here."""

    async def fetch(self, source: str, folder: Path, on_progress: Callable[[int, int], None]) -> Path:
        """The folder of the files, inside `folder`, which may have what an earlier, interrupted call left there.

        `on_progress` gets bytes done and in all. Raises an `ApiError`; may be cancelled.
        """
        ...
