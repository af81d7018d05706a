"""A stage that hangs is given up, so that it does not block the nights to come.

What it waits for, a file server or a database that does not answer, may never return. So the night is interrupted from
within, as Ctrl-C interrupts it, and fails with a sentence; a process that not even this reaches is ended. Trainings are
not looked at: each candidate has its own `timeout_minutes`, and waits for its share of the machine.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from recmodels.errors import NightrecError

TRAINING = ("train", "refit")
SIGNAL = signal.SIGUSR2
GRACE = 60.0  # seconds from the interruption to the end of the process

_hours: ContextVar[float | None] = ContextVar("hours", default=None)
"""How long a stage may take; tasks inherit it from the flow."""


class GivenUp(NightrecError):
    """A stage took longer than it may."""


@contextmanager
def limiting(hours: float) -> Iterator[None]:
    """Give up a stage inside the block that takes longer. Only the main thread can be interrupted: others go on.

    Raises:
        GivenUp: it did.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise GivenUp(_late[0])

    before, token = signal.signal(SIGNAL, interrupt), _hours.set(hours)
    try:
        yield
    finally:
        _hours.reset(token)
        signal.signal(SIGNAL, before)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """A stage, in whatever thread it runs."""
    hours = _hours.get()
    if hours is None or stage in TRAINING:
        yield
        return
    done = threading.Event()
    threading.Thread(target=_watch, args=(stage, hours, done), name=f"limit of {stage}", daemon=True).start()
    try:
        yield
    finally:
        done.set()


_late = [""]  # what is said of the stage that is given up


def _watch(stage: str, hours: float, done: threading.Event) -> None:
    if done.wait(hours * 3600):
        return
    _late[0] = (
        f"The stage {stage} was given up after {hours:g} hours (schedule.stage_hours): see what it waits for, and run "
        "the night again: it goes on where it was."
    )
    signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)
    if not done.wait(GRACE):
        print(f"nightrec: {_late[0]}", file=sys.stderr, flush=True)
        os._exit(1)
