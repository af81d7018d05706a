"""What happens in a night and in which order, the command line, and a night from Python: `run_night`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.api import NightResult, run_night

__all__ = ["NightResult", "run_night"]


def __getattr__(name: str) -> Any:
    """Import the API when it is asked for: the flows themselves are imported without it."""
    if name in __all__:
        from flows import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
