"""Whether a file is what it was when it was last read, without reading all of it where that can be helped.

A file of another size is another file. Where size, time of modification and inode are as they were, the first and the
last 64 KiB and sixteen blocks between are compared, too: whoever writes into a file and sets its time back elsewhere
than there is not found out, and `--fresh` reads it. Where the time or the inode differ, as of files that were copied
anew, all of it is compared by its SHA-256.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from tasks.store.files import sha256

_END, _BLOCK, _BLOCKS = 1 << 16, 1 << 12, 16


@dataclass(frozen=True)
class FilePrint:
    """A file as it was when it was read. `sample`: of some of its blocks; `sha256`: of all of it."""

    path: str
    size: int
    mtime_ns: int
    inode: int
    sample: str
    sha256: str


def print_of(path: Path) -> FilePrint:
    """The print of a file as it is now."""
    now = path.stat()
    return FilePrint(str(path), now.st_size, now.st_mtime_ns, now.st_ino, _sample(path, now.st_size), sha256(path))


def unchanged(known: FilePrint) -> FilePrint | None:
    """The print of a file that is what it was, as it lies there now; None where it is not, or is gone."""
    path = Path(known.path)
    try:
        now = path.stat()
        if now.st_size != known.size:
            return None
        if (now.st_mtime_ns, now.st_ino) == (known.mtime_ns, known.inode):
            return known if _sample(path, known.size) == known.sample else None
        return found if (found := print_of(path)).sha256 == known.sha256 else None
    except OSError:
        return None


def _sample(path: Path, size: int) -> str:
    """A digest of the ends of a file and of blocks between them."""
    found = hashlib.sha256()
    step = max(size // (_BLOCKS + 1), _END)
    places = [(0, _END), (max(size - _END, 0), _END), *((n * step, _BLOCK) for n in range(1, _BLOCKS + 1))]
    handle = os.open(path, os.O_RDONLY)
    try:
        for place, length in places:
            if place < size:
                found.update(os.pread(handle, length, place))
    finally:
        os.close(handle)
    return found.hexdigest()
