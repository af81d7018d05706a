"""What processes read of a part that many buckets need."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from recmodels.engine import parts

T = TypeVar("T")


class Kept(Generic[T]):
    """What was read of a part, for all buckets that this process works on, until one needs another part."""

    def __init__(self, read: Callable[[Path], T]) -> None:
        self._read = read
        self._known: dict[tuple[Path, str], T] = {}  # one at most
        self._reading = Lock()

    def of(self, part: Path) -> T:
        """What a part holds; it is read once, whatever the number of threads that ask."""
        key = (part, parts.digest(part))
        with self._reading:
            if key not in self._known:
                self._known.clear()
                self._known[key] = self._read(part)
            return self._known[key]

    def let_go(self) -> None:
        """Forget it: this process works on no more such buckets."""
        with self._reading:
            self._known.clear()
