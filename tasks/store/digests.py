"""Digests of files that were found already, for the other names of these files: hard links are not read again."""

from pathlib import Path

from tasks.store.files import sha256

_Identity = tuple[int, int, int, int]


class Digests:
    """The SHA-256 of each file that was read whole lately, under whatever name."""

    def __init__(self) -> None:
        self._known: dict[_Identity, str] = {}

    def learn(self, path: Path, digest: str) -> None:
        """Note what a file was found to be."""
        self._known[_identity(path)] = digest

    def of(self, path: Path) -> str:
        """The SHA-256 of a file, which is read unless it is known."""
        return self._known.get(_identity(path)) or sha256(path)


def _identity(path: Path) -> _Identity:
    now = path.stat()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns
