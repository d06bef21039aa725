"""Which deployments that may scale to zero are wanted now."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Demand:
    """Remembers when each deployment was last asked for, and who waits for one now.

    `clock` gives seconds; after `idle_s` of them without a request a deployment may sleep.
    """

    def __init__(self, clock: Callable[[], float], idle_s: float) -> None:
        self._clock = clock
        self._idle_s = idle_s
        self._last_used: dict[str, float] = {}
        self._waiting: dict[str, int] = {}

    def touch(self, deployment_id: str) -> None:
        """It is in use now."""
        self._last_used[deployment_id] = self._clock()

    @contextmanager
    def waiting(self, deployment_id: str) -> Iterator[None]:
        """Somebody waits for it: it stays wanted however long that takes."""
        self._waiting[deployment_id] = self._waiting.get(deployment_id, 0) + 1
        try:
            yield
        finally:
            self.touch(deployment_id)
            self._waiting[deployment_id] -= 1
            if not self._waiting[deployment_id]:
                del self._waiting[deployment_id]

    def waiters(self, deployment_id: str) -> int:
        """How many wait for its start now."""
        return self._waiting.get(deployment_id, 0)

    def is_awake(self, deployment_id: str) -> bool:
        """Whether it was used within `idle_s`, or is waited for."""
        if deployment_id in self._waiting:
            return True
        last = self._last_used.get(deployment_id)
        return last is not None and self._clock() - last < self._idle_s

    def forget_all_but(self, deployment_ids: frozenset[str]) -> None:
        """Drop what is known of deployments that are gone."""
        for gone in self._last_used.keys() - deployment_ids:
            del self._last_used[gone]
