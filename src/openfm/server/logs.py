"""What served entities' engines and imports wrote, for the log routes."""

from pathlib import Path

from openfm.core.endpoint import ServedEntity
from openfm.server.depot import Depot

_TAIL_BYTES = 256 * 1024


class LogShelf:
    """Reads the log files of an entity's replicas."""

    def __init__(self, log_dir: Path, depot: Depot) -> None:
        self._log_dir = log_dir
        self._depot = depot

    def service_log(self, entity: ServedEntity) -> str:
        """The end of each replica's log, one after the other."""
        count = entity.settings.workload_size.replicas
        files = [self._log_dir / f"{entity.deployment_id}-{number}.log" for number in range(1, count + 1)]
        return "".join(_tail(file) for file in files if file.is_file())

    def build_log(self, entity: ServedEntity) -> str:
        """How the model was brought here."""
        return self._depot.build_log(entity)


def _tail(file: Path) -> str:
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        opened.seek(max(0, size - _TAIL_BYTES))
        text = opened.read().decode("utf-8", "replace")
    return text if size <= _TAIL_BYTES else text.partition("\n")[2]
