"""Whether a folder is a store: its contents are no inputs of a night."""

from __future__ import annotations

from pathlib import Path

PARTS = frozenset(
    (
        "demo", "encoded", "exports", "feedback", "history", "inputs", "landed", "nights", "panel", "pins.json",
        "quality", "reports", "simulations", "tuning",
    )
)  # fmt: skip
"""What a store has in its folder, by name."""
_NIGHT = "nights/[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"


def is_store(folder: Path) -> bool:
    """Whether a folder is a site's store: it has exports with their manifests, or nights by date."""
    exports = folder / "exports"
    if (exports / "manifests").is_dir() or (exports / "latest.json").is_file():
        return True
    return any((night / "raw").is_dir() or (night / "night.json").is_file() for night in folder.glob(_NIGHT))
