"""One driver at a time in a store in a bucket: whoever has written the lease there, and renews it.

The API has no write that fails where somebody was faster. So a lease is written, and read again after a moment: of two
that take it at the same time, the later one stays, and the other one goes. Ages are those that the bucket's own clock
gives, as clocks of machines differ. Should two drivers go on nevertheless, the index refuses the second
(`StoreBucket.push`).
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import psutil
from typing_extensions import TypedDict

from tasks.store.bucket import StoreBucket, Unreached
from tasks.store.events import log_event
from tasks.store.files import Json, now_text, parsed
from tasks.store.lease import STALE, InUseError, beating
from tasks.store.working_copy import WorkingCopy

LEASE, CLOCK = "lease.json", "clock"
BEAT = 15.0  # seconds between two signs of life
MOMENT = 1.0  # seconds after which a lease is read again


class BucketLease(TypedDict):
    """Who writes to a store in a bucket; `copy` names their working copy, and `at` is when they have renewed it."""

    token: str
    copy: str
    host: str
    pid: int
    since: str
    at: str


def is_ours(bucket: StoreBucket, copy: WorkingCopy) -> bool:
    """Whether somebody at work in the same working copy has the lease."""
    lease = _lease(bucket)
    return lease is not None and lease.get("copy") == copy.name and _age(bucket, lease) < STALE


@contextmanager
def leased(bucket: StoreBucket, copy: WorkingCopy, *, held: bool) -> Iterator[str]:
    """Be the one who writes to a store, for the block; yields the token of the lease.

    Args:
        held: the caller holds the working copy, so that a lease of an earlier process there is that of a dead one.

    Raises:
        InUseError: somebody else is.
    """
    found = _lease(bucket)
    if found is not None and not (held and _is_of_the_dead(found, copy)) and _age(bucket, found) < STALE:
        raise _refused(bucket, found)
    mine: BucketLease = {
        "token": uuid.uuid4().hex,
        "copy": copy.name,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": now_text(),
        "at": now_text(),
    }
    _write(bucket, mine)
    time.sleep(MOMENT)
    if not _is(bucket, mine):
        raise _refused(bucket, _lease(bucket) or {})

    def renewed() -> bool:
        if not _is(bucket, mine):
            log_event("store", "failed", f"Another driver has taken the store {bucket.shown} over: this one ends")
            return False
        _write(bucket, {**mine, "at": now_text()})
        return True

    try:
        with beating(copy.root / ".bucket-alive", renewed, every=BEAT):
            yield mine["token"]
    finally:
        with suppress(Unreached):  # it grows old by itself
            if _is(bucket, mine):
                with bucket.reached():
                    bucket.place.files.delete_file(bucket.place.path(LEASE))


def _is_of_the_dead(lease: Json, copy: WorkingCopy) -> bool:
    """Whether it is one of a process before, in the working copy that this one holds."""
    pid = lease.get("pid")
    here = lease.get("host") == socket.gethostname() and isinstance(pid, int)
    return lease.get("copy") == copy.name and not (here and pid != os.getpid() and psutil.pid_exists(pid))


def _lease(bucket: StoreBucket) -> Json | None:
    with bucket.reached():
        content = bucket.place.read(LEASE)
    return None if content is None else parsed(content) or {}


def _is(bucket: StoreBucket, mine: BucketLease) -> bool:
    return (_lease(bucket) or {}).get("token") == mine["token"]


def _write(bucket: StoreBucket, lease: BucketLease) -> None:
    with bucket.reached():
        bucket.place.put(LEASE, json.dumps(lease).encode())


def _age(bucket: StoreBucket, lease: Json) -> float:
    """Seconds since a lease was renewed, by the clock of the bucket; by this machine's where that tells no times."""
    with bucket.reached():
        bucket.place.put(CLOCK, b"")
        lease_, clock = bucket.place.files.get_file_info([bucket.place.path(name) for name in (LEASE, CLOCK)])
    if lease_.mtime is not None and clock.mtime is not None:
        return float((clock.mtime - lease_.mtime).total_seconds())
    with suppress(KeyError, TypeError, ValueError):
        return (datetime.now(UTC) - datetime.fromisoformat(lease["at"])).total_seconds()
    return 0.0


def _refused(bucket: StoreBucket, lease: Json) -> InUseError:
    who = f", on {lease['host']} since {lease['since']} (process {lease['pid']})" if lease.keys() >= {"host"} else ""
    return InUseError(
        f"Another night is running in the store {bucket.shown}{who}: wait for it to end, or {STALE:.0f} seconds if it "
        "died, or use another --store."
    )
