"""How much memory there is, a refusal in time for what would not fit, and giving back what is free."""

import ctypes
import gc
from contextlib import suppress
from pathlib import Path

import psutil

from recmodels.errors import NightrecError


def total() -> int:
    """Bytes that this machine, or this process's control group (v2), has at all."""
    all_of_it: int = psutil.virtual_memory().total
    try:
        return min(all_of_it, int((_group() / "memory.max").read_text()))
    except (OSError, ValueError):
        return all_of_it


def available() -> int:
    """Bytes that can still be allocated: what the machine has free, within this process's control group (v2)."""
    free: int = psutil.virtual_memory().available
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


def give_back() -> None:
    """Give free memory back to the system, as GNU's C library does not by itself: trainings leave it in pieces."""
    gc.collect()  # a trained network refers to itself
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
