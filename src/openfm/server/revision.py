"""How other processes of ours know that what they read from the database has changed."""

import time
from collections.abc import Callable
from threading import Lock


class Revision:
    """A number that only grows: with each change, and over restarts, for it starts at the clock. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._value = time.time_ns() // 1000
        self._listeners: list[Callable[[], object]] = []

    @property
    def value(self) -> int:
        """The number now."""
        return self._value

    def on_change(self, listener: Callable[[], object]) -> None:
        """Call `listener` after each change, in the thread of whoever makes it. It must not wait."""
        self._listeners.append(listener)

    def grow(self) -> None:
        """Something has changed."""
        with self._lock:
            self._value += 1
        for listener in self._listeners:
            listener()
