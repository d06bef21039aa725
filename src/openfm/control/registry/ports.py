"""What the registry asks of others."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection

from openfm.core.principal import Principal
from openfm.scheduling.work import Throughput


class ModelGrants(Protocol):
    """Who may do what with a registered model. Owners and admins may do all, everybody may execute `system.ai.*`."""

    def own_model(self, connection: Connection, model_id: str, owner: Principal) -> None:
        """Make it the owner of a new model."""
        ...

    def hand_over_model(self, connection: Connection, model_id: str, owner: str) -> None:
        """Make the principal of that name the owner. Raises `InvalidParameterValue`."""
        ...

    def may_execute(self, caller: Principal, full_name: str) -> bool:
        """Whether the caller may see, download and serve the model."""
        ...

    def may_manage(self, caller: Principal, full_name: str) -> bool:
        """Whether the caller may change the model."""
        ...

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`: grants follow a model to its new name, and end with it."""
        ...


class ServedVersions(Protocol):
    """Which endpoints need a model: a model that is served cannot be deleted."""

    def serving(self, version_ids: frozenset[str]) -> Sequence[str]:
        """The names of the endpoints that need one of these versions: serve it, or an adapter of it."""
        ...

    def settled(self) -> AbstractContextManager[None]:
        """No endpoint changes meanwhile. Take it before a transaction, never inside one."""
        ...


class Measured(Protocol):
    """What was measured of model versions (`control.calibrations.profiles.ProfileBook`)."""

    def throughput(self, version_ids: frozenset[str], parameters: int) -> Throughput:
        """What a version can be promised here: as measured, else as expected of so many parameters."""
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
