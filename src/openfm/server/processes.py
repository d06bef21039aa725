"""What processes use of this machine."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Use:
    """Percent of the machine's cores and of its memory."""

    cpu_percent: float = 0.0
    memory_percent: float = 0.0


class Processes:
    """Asked again and again: CPU use is of the time since this object was last asked. Any thread may."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def use(self, pids: Iterable[int]) -> Use:
        """What these use together; who ended counts as nothing. Reads the system, so it blocks for a moment."""
        cpu, memory = 0.0, 0.0
        for pid in pids:
            with suppress(psutil.NoSuchProcess):  # a replica may end at any time
                process = self._process(pid)
                cpu += process.cpu_percent() / (psutil.cpu_count() or 1)
                memory += process.memory_percent()
        return Use(cpu, memory)

    def forget_ended(self) -> None:
        """Drop the processes that are gone."""
        for pid, process in self._known.copy().items():  # other threads may ask too
            if not process.is_running():
                self._known.pop(pid, None)

    def _process(self, pid: int) -> psutil.Process:
        """The same object each time: CPU use is measured since its last answer."""
        found = self._known.get(pid)
        if found is None:
            found = self._known[pid] = psutil.Process(pid)
        return found
