"""What happens in a night and in which order, the command line, and for Python `run_night`, `off_policy`, `Answers`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.api import NightResult, off_policy, run_night
    from tasks.lookup.answers import Answered, Answers

_MODULES = {
    "Answered": "tasks.lookup.answers",
    "Answers": "tasks.lookup.answers",
    "NightResult": "flows.api",
    "off_policy": "flows.api",
    "run_night": "flows.api",
}

__all__ = ["Answered", "Answers", "NightResult", "off_policy", "run_night"]


def __getattr__(name: str) -> Any:
    """Import the API when it is asked for: the flows themselves are imported without it."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
