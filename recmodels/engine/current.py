"""The engine that work is given to: this machine's, unless something else is said."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Engine

_current: ContextVar[Engine | None] = ContextVar("engine", default=None)


def engine() -> Engine:
    """The engine of what runs now."""
    return _current.get() or LocalEngine()


def asked_for() -> bool:
    """Whether somebody has named an engine: what is as good in one piece on this machine is not parted otherwise."""
    return _current.get() is not None


@contextmanager
def using(engine: Engine) -> Iterator[None]:
    """Give work to this engine in the block; threads and tasks that are started there inherit it."""
    token = _current.set(engine)
    try:
        yield
    finally:
        _current.reset(token)
