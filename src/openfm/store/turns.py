"""Turns in the order of coming. SQLite's own waiting is a lottery: who comes back at once beats all who wait."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class NoTurn(Exception):
    """It did not come in time."""


class Turns:
    """One thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()

    @contextlib.contextmanager
    def one(self, timeout_s: float) -> Iterator[None]:
        """Alone, inside `with`. Raises `NoTurn`."""
        mine = threading.Event()
        with self._lock:
            self._line.append(mine)
            self._line[0].set()
        try:
            if not mine.wait(timeout_s):
                raise NoTurn
            yield
        finally:
            with self._lock:
                self._line.remove(mine)
                if self._line:
                    self._line[0].set()

    @property
    def waiting(self) -> int:
        """How many wait for the one whose turn it is."""
        with self._lock:
            return max(0, len(self._line) - 1)
