"""Where a node keeps what it has fetched, for all its processes: what was not used for the longest time gives way."""

import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recmodels.engine.parts import TEMPORARY

FOLDER = "NIGHTREC_ENGINE_CACHE"
"""Environment variable of a node: the folder, if not one of this user's among the temporary files."""
OLD = 86400.0
"""Seconds after which nobody is still fetching something."""
SHARE = 0.5
"""Of what the disk has room for, how much may be kept, at most."""


def called(entry: Path, name: str) -> Path:
    """What is in the folder of an entry, by the name that somebody gives it: others may call the same otherwise."""
    path = entry / name
    if not path.exists():
        (first,) = (one for one in entry.iterdir() if not one.is_symlink())
        with suppress(FileExistsError):
            path.symlink_to(first.name)
    return path


def of_this_node() -> "Cache":
    """The cache of the node that this process runs on."""
    default = Path(tempfile.gettempdir()) / f"nightrec-engine-{os.getuid()}"
    folder = Path(os.environ.get(FOLDER) or default)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():  # somebody else could change what is in it
        folder = Path(tempfile.mkdtemp(prefix="nightrec-engine-"))
    return Cache(folder)


class Cache:
    """Folders by key, each filled once and not changed then.

    Args:
        folder: of the cache.
        limit: bytes that are kept, apart from what is in use; half of what the disk has room for, if not given.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder, self.limit = folder, limit

    @contextmanager
    def holding(self, key: str, fill: Callable[[Path], None]) -> Iterator[Path]:
        """A folder that stays while the block runs.

        Args:
            key: a name that says what is in it.
            fill: writes it, if it is not there; is given an empty folder.
        """
        entry = self.folder / key
        while True:
            with self._locked(key, fcntl.LOCK_SH):
                if entry.exists():
                    os.utime(entry)
                    yield entry
                    return
            # Nobody holds it, so nobody is waited for here who may wait for what this process holds.
            with self._locked(key, fcntl.LOCK_EX):
                if not entry.exists():
                    self._make_room()
                    self._fill(entry, fill)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A new folder, which goes when the block ends."""
        key = f"work-{uuid.uuid4().hex}"
        try:
            with self.holding(key, lambda _: None) as folder:
                yield folder
        finally:
            self._remove(key)

    def _remove(self, key: str) -> None:
        shutil.rmtree(self.folder / key, ignore_errors=True)
        (self.folder / f"{key}.lock").unlink(missing_ok=True)

    def _fill(self, entry: Path, fill: Callable[[Path], None]) -> None:
        temporary = self.folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        temporary.mkdir()
        try:
            fill(temporary)
            temporary.rename(entry)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextmanager
    def _locked(self, key: str, how: int) -> Iterator[None]:
        """Hold the lock of an entry.

        Raises:
            BlockingIOError: somebody else does, and `how` is not to wait.
        """
        path = self.folder / f"{key}.lock"
        while True:
            with path.open("a") as lock:
                fcntl.flock(lock, how)
                if _is_still(path, lock.fileno()):
                    yield
                    return

    def _make_room(self) -> None:
        """Remove what was not used for the longest time, as long as there is more than may be kept."""
        entries: list[tuple[float, Path]] = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if path.is_dir() and (not path.name.startswith(TEMPORARY) or path.stat().st_mtime < time.time() - OLD):
                    entries.append((path.stat().st_mtime, path))
        sizes = {path: _bytes_in(path) for _, path in entries}
        kept = sum(sizes.values())
        limit = (shutil.disk_usage(self.folder).free + kept) * SHARE if self.limit is None else self.limit
        for _, path in sorted(entries):
            if kept <= limit:
                return
            with suppress(BlockingIOError), self._locked(path.name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._remove(path.name)
                kept -= sizes[path]


def _is_still(path: Path, file: int) -> bool:
    """Whether an open file is the one of that path, and not one that was removed meanwhile."""
    with suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(file).st_ino
    return False


def _bytes_in(folder: Path) -> int:
    """The size of all files in a folder, from which other processes may remove some, or all, at the same time."""
    total = 0
    for within, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(Path(within) / name).st_size
    return total
