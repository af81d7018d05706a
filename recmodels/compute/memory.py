"""How much memory there is, a refusal in time for what would not fit, and giving back what is free."""

import ctypes
import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import psutil

from recmodels.errors import ConfigError, NightrecError

VARIABLE = "NIGHTREC_MEMORY"
"""Environment variable: the most memory that is planned with, which processes that are started inherit."""

LEAST = 2**29  # bytes with which a night can be planned at all
UNITS = {"": 1, "b": 1} | {
    f"{letter}{ending}": base**power
    for power, letter in enumerate("kmgt", 1)
    for base, endings in ((1000, ("b",)), (1024, ("i", "ib")))
    for ending in endings
}


def size_of(text: str | int, least: int = LEAST) -> int:
    """The bytes that are meant by `"8GiB"`, `"8 GB"`, `"8Gi"` or a number of bytes.

    Raises:
        ValueError: it is none, or fewer than the `least`.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", str(text).strip().lower(), re.ASCII)
    if found is None or found[2] not in UNITS:
        raise ValueError("it is no amount of memory; write it like 8GiB, 8GB or a number of bytes")
    n_bytes = int(float(found[1]) * UNITS[found[2]])
    if n_bytes < least:
        raise ValueError("it is too little for a night; give at least 512MiB")
    return n_bytes


@contextmanager
def at_most(limit: int | None) -> Iterator[None]:
    """Plan with this many bytes at most in the block, here and in processes that it starts; None changes nothing."""
    if limit is None:
        yield
        return
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(min(limit, _limit() or limit))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


def _limit() -> int | None:
    """What the environment allows."""
    if not (text := os.environ.get(VARIABLE)):
        return None
    try:
        return size_of(text)
    except ValueError as error:
        raise ConfigError(f"The environment variable {VARIABLE} is {text[:40]!r}: {error}.") from None


PROCESS, TORCH = 170 * 2**20, 190 * 2**20
"""What a process takes that computes with NumPy, SciPy, Arrow and Numba, and PyTorch on top."""


def total() -> int:
    """Bytes to plan with: those of this machine or of this process's control group (v2), or fewer by `at_most`."""
    there = [int(psutil.virtual_memory().total)]
    with suppress(OSError, ValueError):
        there.append(int((_group() / "memory.max").read_text()))
    if limit := _limit():
        there.append(limit)
    return min(there)


def available() -> int:
    """Bytes that can still be allocated: what the machine has free, within this process's control group (v2) and what
    `at_most` leaves to a process.
    """
    free: int = psutil.virtual_memory().available
    if limit := _limit():
        free = min(free, max(limit - psutil.Process().memory_info().rss, 0))
    folder = _group()
    try:
        limit = int((folder / "memory.max").read_text())  # "max" where there is no limit
        used = int((folder / "memory.current").read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return free
    return min(free, limit - used + int(stat.get("inactive_file", 0)))  # cached files give way


def _group() -> Path:
    group = Path("/proc/self/cgroup")
    own = group.read_text().strip().rpartition("0::/")[2] if group.exists() else ""
    return Path("/sys/fs/cgroup") / own


def peak() -> int:
    """The most bytes this process has held; not getrusage, whose figure starts from the parent's."""
    with _measuring:
        return max(_highest[0], _high_water())


@dataclass
class Peak:
    """The most bytes this process has held during a block."""

    n_bytes: int = 0


_measuring = Lock()
_running: list[Peak] = []
_highest = [0]  # that has been seen before the system's own mark was set back


@contextmanager
def peak_within() -> Iterator[Peak]:
    """Measure what this process holds at most during the block, whatever else it does then.

    Where the system's mark cannot be set back, as on macOS, that is the most it has held up to the end of the block.
    """
    mine = Peak()
    with _measuring:
        _note()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark is what is held now
        _running.append(mine)
    try:
        yield mine
    finally:
        with _measuring:
            _note()
            _running[:] = [one for one in _running if one is not mine]


def _note() -> None:
    """Take over the system's high-water mark, for all that is measured."""
    reached = _high_water()
    _highest[0] = max(_highest[0], reached)
    for one in _running:
        one.n_bytes = max(one.n_bytes, reached)


def _high_water() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


def require(needed: int, name: str, n_items: int) -> None:
    """Raise NightrecError if `needed` bytes are not available to the model called `name`."""
    if needed > (there := available()):
        raise NightrecError(
            f"{name} needs about {needed / 2**30:.1f} GiB of memory for {n_items} items, {there / 2**30:.1f} GiB are "
            "available; leave it out, keep fewer items (a higher minimum count), or use a larger machine."
        )


M_ARENA_MAX = -8  # of mallopt(3)


def in_one_arena() -> None:
    """Let the threads that begin from now on share the first thread's heap.

    GNU's C library gives each a heap of its own, up to eight a core, and what is free in one serves no other: a night
    held a quarter more between its stages. What computes here asks for few and large pieces, so nobody waits.

    Arrow takes its memory from that heap, too, here if it is not imported yet, and in processes that are started: its
    own pool keeps what is free, even from `trim`, which was a tenth of what a night held at most.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 1)


@contextmanager
def all_stays() -> Iterator[None]:
    """What is made in the block, as by imports, is not looked through for garbage, then or later: it stays."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collects:
            gc.enable()


def give_back() -> None:
    """Give free memory back to the system, as GNU's C library does not by itself: trainings leave it in pieces."""
    gc.collect()  # a trained network refers to itself
    trim()


def trim() -> None:
    """Give back what is free as it is: milliseconds, where `give_back` also looks for what nobody refers to."""
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
