"""Who is told how far some work is, and what became of the machines that it is done on; whether it is still wanted."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from recmodels.messages import counted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far some work is.

    Attributes:
        function: by name, what is done with each bucket.
        done: buckets that have their part, those that had it before among them.
        buckets: there are.
        found: how many of the done ones had their part before: one that an earlier run has made, say.
    """

    function: str
    done: int
    buckets: int
    found: int = 0

    @property
    def in_words(self) -> str:
        """What was found, at the end."""
        return f"{self.function.rpartition(':')[2]}: {self.found:,} of {counted(self.buckets, 'bucket')} had been made"


class Watcher(Protocol):
    """Is told in the thread that called `map`, while it waits."""

    def progressed(self, progress: Progress) -> None:
        """Before the first bucket is begun, and after each that is done."""

    def noted(self, sentence: str) -> None:
        """What somebody who reads the log of the night should know: a node was lost, say."""


class Logging:
    """Who watches where nobody else does."""

    def progressed(self, progress: Progress) -> None:
        log.debug("%s: %s of %s buckets", progress.function, progress.done, progress.buckets)
        if progress.found and progress.done == progress.buckets:
            log.info("%s", progress.in_words)

    def noted(self, sentence: str) -> None:
        log.warning("%s", sentence)


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def watcher() -> Watcher:
    """Who watches what runs now."""
    return _watcher.get() or Logging()


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Tell this one of the work that is done in the block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


_unwanted: ContextVar[Event | None] = ContextVar("unwanted", default=None)


def unwanted() -> bool:
    """Whether nobody waits any more for what runs now."""
    over = _unwanted.get()
    return over is not None and over.is_set()


@contextmanager
def wanted_until(over: Event) -> Iterator[None]:
    """Nobody waits for the work that is done in the block once this is set."""
    token = _unwanted.set(over)
    try:
        yield
    finally:
        _unwanted.reset(token)
