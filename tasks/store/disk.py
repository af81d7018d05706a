"""What a file system refuses, in one sentence: which path, why, how much is missing, and what to do.

Errors of the file system stay `OSError` as they rise, so that what may pass is tried again. Those who only say a
number are given their path where it is known (`naming`), and become a sentence where people meet them (`in_words`).
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recmodels.errors import NightrecError
from tasks.errors import DiskRefused
from tasks.store.paths import Store
from tasks.store.room import Room, size_text

AGAIN = "and run it again: it goes on where it was, and what is published stays"
SHOWN = 150  # characters of a path
FULL = (errno.ENOSPC, errno.EDQUOT)
GONE = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT, errno.EHOSTDOWN)
REMEDIES = {
    errno.EROFS: "its file system may only be read: mount it for writing",
    errno.EACCES: "the user that runs nightrec ({user}) may not do that: give it the right to",
    errno.EPERM: "the user that runs nightrec ({user}) may not do that: give it the right to",
    errno.ENOENT: "it is not there any more: see that its disk is mounted and nothing else removes files",
    errno.ENOTDIR: "a file stands where a folder belongs: move it away",
    errno.EFBIG: "a file may not grow that large: raise the limit (`ulimit -f`), or use another file system",
    errno.EMFILE: "the process may not open more files: raise the limit (`ulimit -n`)",
    errno.ENFILE: "the machine may not open more files: see what holds so many",
    errno.ENOMEM: "memory ran out: give nightrec more, or end what else runs here",
    errno.ENAMETOOLONG: "the name is too long for its file system: choose a shorter folder",
    errno.EBUSY: "something else uses it: see what",
}
TEXTS = {os.strerror(code): code for code in (*FULL, *GONE, *REMEDIES)}
MEMORY = re.compile("Out of Memory Error|bad.alloc|Cannot allocate memory|can't start new thread")
NAMED = re.compile(r"""["']([^"']*/[^"']*)["']""")  # a path in the message of a library


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give errors of the file system inside the block a path, if they have none; libraries' own errors, too."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            error.filename = str(path)
        if (meant := _meant(error, path)) is not None:
            raise meant from error
        raise


@contextmanager
def in_words(store: Store | None = None) -> Iterator[None]:
    """Turn what the file system or the memory refuses inside the block into a sentence.

    In a `store`, which its night holds, any other error counts as its loss if its lock is gone: a mount that went away
    leaves files missing and folders empty, and what follows from that is no fault of ours.

    Raises:
        DiskRefused: the sentence; the error itself is its cause.
    """
    try:
        yield
    except (BrokenPipeError, ConnectionError):
        raise
    except Exception as error:
        if (text := told(error, store)) is None:
            raise
        raise DiskRefused(text) from error


def told(error: Exception, store: Store | None = None) -> str | None:
    """What the file system or the memory refused, in words; None for other errors."""
    meant = _meant(error, store.root if store else Path()) or error
    if isinstance(meant, MemoryError):
        return f"The memory ran out: give nightrec more, or end what else runs here, {AGAIN}."
    if isinstance(meant, OSError) and meant.errno is not None:
        return sentence(meant, store)
    if store is not None and not store.lock.exists() and not isinstance(error, NightrecError):
        return f"The store {store.root} has gone away: see that its disk is mounted, {AGAIN}."
    return None


def refusal_in(text: str, path: Path) -> OSError | MemoryError | None:
    """The refusal of the file system or the memory that a message of another program, or of a library, speaks of."""
    if MEMORY.search(text):
        return MemoryError(text)
    if (code := next((code for said, code in TEXTS.items() if said in text), None)) is None:
        return None
    found = NAMED.search(text)
    return OSError(code, os.strerror(code), found.group(1) if found else str(path))


def _meant(error: Exception, path: Path) -> Exception | None:
    """The refusal that another error stands for: a library's own, or one that was taken for a fault of the data."""
    if isinstance(error, OSError | MemoryError):
        return None
    if not isinstance(error, NightrecError):
        return refusal_in(str(error), path)
    behind = error.__cause__ or error.__context__
    if isinstance(behind, MemoryError) or (isinstance(behind, OSError) and behind.errno in FULL):
        return behind
    if isinstance(behind, Exception) and not isinstance(behind, OSError | NightrecError):
        meant = refusal_in(str(behind), path)
        return meant if isinstance(meant, MemoryError) or (meant and meant.errno in FULL) else None
    return None


def sentence(error: OSError, store: Store | None = None) -> str:
    """What the file system refused, in words."""
    code = error.errno or 0
    path = _shown(error.filename) or (str(store.root) if store else "a file")
    if code in FULL:
        return f"{_full(code, path, store)} {AGAIN}."
    if code in GONE:
        text = f"{path}: its file system does not answer ({os.strerror(code)}): see that it is mounted"
    elif code in REMEDIES:
        text = f"{path}: {REMEDIES[code].format(user=_user())}"
    else:
        text = f"{path}: {error.strerror or type(error).__name__}: see that the disk and the folder are in order"
    return f"{text}, {AGAIN}."


def _full(code: int, path: str, store: Store | None) -> str:
    room = Room.of(store.root if store else Path(path))
    if code == errno.EDQUOT:
        return f"{path} cannot be written: the quota of {_user()} is used up. Free some room or have it raised,"
    if room is not None and room.no_files_left:
        return f"{path} cannot be written: its file system has no room for more files (inodes). Remove some,"
    free = "" if room is None else f" ({size_text(room.free)} free of {size_text(room.total)})"
    missing = room.missing(store) if room is not None and store is not None else 0
    more = f"about {size_text(missing)} more" if missing else "some room"
    return f"{path} cannot be written: the disk is full{free}. Free {more},"


def _shown(name: object) -> str:
    text = os.fsdecode(name) if isinstance(name, str | bytes) else ""
    return text if len(text) <= SHOWN else f"…{text[-SHOWN:]}"


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
