"""Where the store is that a command is about."""

import tomllib
from pathlib import Path

from tasks.store.in_step import store_folder


def the_store(store: Path | None) -> Path:
    """The named store, else that of ./nightrec.toml, else ./store."""
    if store is not None:
        return store
    try:
        named = tomllib.loads(Path("nightrec.toml").read_text(encoding="utf-8")).get("store", "store")
    except (OSError, ValueError):
        named = "store"
    return store_folder(named)
