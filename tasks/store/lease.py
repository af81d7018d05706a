"""Signs of life on a shared folder: how other machines see that somebody is still at work there.

A lock of the operating system ends with its holder, but only within one machine. A lease is a file that its holder
touches every few seconds; one that has not been touched for a while belongs to nobody. Ages are read off the file
system's own clock, so that machines whose clocks differ agree; a clock that was set back makes nobody look alive.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recmodels.errors import NightrecError

BEAT = 5.0  # seconds between two signs of life
CLOCK = ".clock"  # the file whose time is read: one, so that nothing is left however a process ends
STALE = 120.0  # seconds without one, after which a lease is nobody's: more than a network file system caches


class InUseError(NightrecError):
    """Another night is running in the store."""


def touch(path: Path) -> float:
    """Set a file's time to now, by the clock of its file system, and return it; the file is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o660)
    try:
        os.utime(handle)
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)


def age(path: Path) -> float | None:
    """Seconds since the last sign of life, or until it where a clock was set back; None where there never was one."""
    try:
        last = path.stat().st_mtime
    except FileNotFoundError:
        return None
    try:
        now = touch(path.with_name(CLOCK))
    except OSError:  # who may only read the folder goes by their own clock
        now = time.time()
    return abs(now - last)


def machine() -> str:
    """What tells this machine, since it was started, from every other; the same in all of its containers."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


@contextmanager
def beating(path: Path, still_wanted: Callable[[], bool] | None = None, every: float = BEAT) -> Iterator[None]:
    """Give signs of life during the block.

    When `still_wanted` says no, this process is ended as if by SIGTERM: whoever asked for its work is gone.
    """
    done = threading.Event()
    touch(path)

    def beat() -> None:
        while not done.wait(every):
            with suppress(OSError):  # a file system that is away for a moment is no reason to stop
                if still_wanted is not None and not still_wanted():
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                os.utime(path)

    thread = threading.Thread(target=beat, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
