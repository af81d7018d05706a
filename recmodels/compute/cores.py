"""How many cores this process may use, and what of them a piece of its work may."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_share: ContextVar[int | None] = ContextVar("share", default=None)


def threads() -> int:
    """The cores of what runs now: its `share`, else OMP_NUM_THREADS, else those that this process may run on."""
    if share := _share.get():
        return share
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if given.isdigit() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def sharing(cores: int) -> Iterator[None]:
    """Use so many cores in the block, in this thread: others work beside it."""
    token = _share.set(cores)
    numba = sys.modules.get("numba")
    if not all(hasattr(numba, name) for name in ("get_num_threads", "set_num_threads", "config")):
        numba = None  # another thread imports it at this moment
    before = numba.get_num_threads() if numba else 0
    try:
        if numba:
            numba.set_num_threads(min(cores, numba.config.NUMBA_NUM_THREADS))
        yield
    finally:
        if numba:
            numba.set_num_threads(before)
        _share.reset(token)
