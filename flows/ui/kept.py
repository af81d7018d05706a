"""What takes long to find out is found out again only once it is old."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

KEPT = 60.0  # seconds

T = TypeVar("T")


class Kept(Generic[T]):
    """Something that is kept for a minute.

    Args:
        find: finds it out. Whoever asks meanwhile waits for the same answer.
    """

    def __init__(self, find: Callable[[], T]) -> None:
        self.find = find
        self._found: tuple[float, T] | None = None
        self._lock = threading.Lock()

    def get(self, anew: bool = False) -> T:
        """What is known; `anew`: whatever was known."""
        with self._lock:
            if self._found is None or anew or time.monotonic() - self._found[0] > KEPT:
                self._found = time.monotonic(), self.find()
            return self._found[1]
