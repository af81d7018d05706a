"""Libraries that others import at their top and hardly ever use: imported at their first use, or not at all."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from threading import get_ident
from types import ModuleType
from typing import Any


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """While the block imports a library, what it imports by these names is imported at its first use instead.

    Whoever imports one of them in earnest, in this block or in another thread, gets it.
    """
    put = [_Later(name) for name in names if name not in sys.modules]
    for module in put:
        sys.modules.setdefault(module.__name__, module)
    try:
        yield
    finally:
        for module in put:
            module._step_aside()


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """While the block imports a library that can do without some others, these are not there for it.

    Another thread that imports one of them gets it, and so does the library if it is imported already.
    """
    finder = _NotThere(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _NotThere(MetaPathFinder):
    """Finds that some packages are not installed, for the thread that made it."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names, self._thread = names, get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in self._names and get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _Later(ModuleType):
    """Stands for a module that is imported as soon as anything of it is asked for."""

    def _step_aside(self) -> None:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        self._step_aside()
        return getattr(importlib.import_module(self.__name__), name)
