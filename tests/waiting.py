"""Waiting in tests: for what happens, never for a clock. The one limit is so wide that only a hang reaches it."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

PATIENCE = 600.0  # seconds; also on a machine that is many times slower, and busy

T = TypeVar("T")


def until(what: str, found: Callable[[], T | None], every: float = 0.1) -> T:
    """What `found` returns as soon as it is something; `what` names it if it never comes.

    Args:
        what: the event, for the message.
        found: asked again and again; it raises if the event can no longer happen.
        every: seconds between two questions.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(every)
    raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still does something: one that has ended may stay in the list until somebody asks for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until_ended(processes: Iterable[psutil.Process]) -> None:
    """Wait until none of them is alive."""
    left = list(processes)

    def none_left() -> bool:
        left[:] = [process for process in left if is_alive(process)]
        return not left

    until(f"they end: {[process.pid for process in left]}", none_left, every=0.05)
