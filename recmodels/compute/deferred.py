"""Libraries that others import at their top and hardly ever use: imported when something of them is asked for."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


class _Later(ModuleType):
    """Stands for a module that is imported as soon as anything of it is asked for."""

    def _step_aside(self) -> None:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        self._step_aside()
        return getattr(importlib.import_module(self.__name__), name)
