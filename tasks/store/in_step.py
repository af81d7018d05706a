"""Keeping a store in a bucket and its working copy in step: before a command reads, and while one writes.

For stores on a disk, all of this does nothing.
"""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from recmodels.messages import counted
from tasks.store.events import log_event
from tasks.store.lease import InUseError
from tasks.store.paths import Store
from tasks.store.working_copy import WorkingCopy, working_copy

if TYPE_CHECKING:
    from tasks.store.bucket import StoreBucket

FRESH = 30.0  # seconds for which a process does not ask again


@dataclass
class Writing:
    """What this process does to a store, whose lease it has."""

    copy: WorkingCopy
    sends: threading.Lock = field(default_factory=threading.Lock)
    sent: int = 0
    leaves_nothing: bool = False

    def send(self) -> None:
        with self.sends:
            self.sent += _bucket(self.copy).push(self.copy)


_writing: dict[Path, Writing] = {}
_asked: dict[Path, float] = {}


def store_folder(store: str | Path) -> Path:
    """The folder of a store: of one in a bucket, its working copy, brought in step.

    Args:
        store: a folder, or an address such as `s3://bucket/path`.

    Raises:
        ConfigError: the address holds a secret, or is of no known kind.
        NightrecError: the bucket is not there, or does not answer.
    """
    if "://" not in str(store):
        return Path(store)
    folder = working_copy(str(store))
    follow(folder)
    return folder


def follow(folder: Path) -> None:
    """Bring a working copy in step, unless that was done just now, or a night at work in it has what is newest."""
    now = time.monotonic()
    if folder in _writing or now - _asked.get(folder, -FRESH) < FRESH or (copy := WorkingCopy.at(folder)) is None:
        return
    from tasks.store.bucket_lease import is_ours

    bucket = _bucket(copy)
    with _alone(folder):
        if not is_ours(bucket, copy):
            bucket.pull(WorkingCopy.at(folder) or copy)
    _asked[folder] = now


@contextmanager
def in_step(store: Store, *, held: bool = False) -> Iterator[None]:
    """Change a store: before the block what others have written is brought, after it what was changed is sent.

    A block within another one, or beside a night in the same working copy, leaves that to the other.

    Args:
        held: the caller holds the working copy.

    Raises:
        InUseError: another driver is at work in the store.
        NightrecError: the bucket does not answer, or another driver has written to it.
    """
    if store.root in _writing or (copy := WorkingCopy.at(store.root)) is None:
        yield
        return
    from tasks.store.bucket_lease import is_ours, leased

    bucket = _bucket(copy)
    if not held and is_ours(bucket, copy):
        yield
        return
    with leased(bucket, copy, held=held):
        with _alone(store.root):
            copy = WorkingCopy.at(store.root) or copy
            bucket.pull(copy)
        writing = _writing[store.root] = Writing(copy)
        try:
            yield
        except Exception:
            send(store.root)
            raise
        else:
            writing.send()
            log_event("bucket", "note", f"{counted(writing.sent, 'file')} of the store sent to {bucket.shown}")
            if writing.leaves_nothing:
                bucket.sweep(timedelta())
            else:
                bucket.sweep_daily()
        finally:
            del _writing[store.root]


def send(path: Path) -> None:
    """Send what is new in the store of a path, if it is one in a bucket that this process writes to.

    A bucket that does not answer is a note: what was not sent is sent with what comes next.

    Raises:
        NightrecError: another driver has written to it.
    """
    if not (roots := {path, *path.parents} & _writing.keys()):
        return
    from tasks.store.bucket import Unreached

    for root in roots:
        try:
            _writing[root].send()
        except Unreached as error:
            log_event("bucket", "note", str(error))


def offer(store: Store) -> None:
    """Send what was done beside the nights of a store; where one is at work, what is sent next takes it along."""
    with suppress(InUseError), in_step(store):
        pass


def leave_nothing(store: Store) -> None:
    """Remove from the bucket at once what this process has removed from a store: somebody is forgotten."""
    if store.root in _writing:
        _writing[store.root].leaves_nothing = True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from bringing the same working copy in step."""
    with (folder / ".bucket.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _at(address: str) -> "StoreBucket":
    from tasks.store.bucket import StoreBucket

    return StoreBucket(address)


def _bucket(copy: WorkingCopy) -> "StoreBucket":
    """What is at the address of a working copy, opened once a process."""
    return _at(copy.address)
