"""Iceberg tables: by a catalog, `iceberg://catalog/namespace.table`, or by the folder of one on this machine."""

from __future__ import annotations

import re
from pathlib import Path

SCHEME = "iceberg"
_METADATA = "metadata/*.metadata.json"


def is_table(path: str) -> bool:
    """Whether a path is that of a folder with an Iceberg table, or an address names one."""
    if "://" in path:
        return path.lower().startswith(f"{SCHEME}://")
    return any(Path(path).expanduser().glob(_METADATA))


def newest(folder: str) -> Path:
    """The newest of the files that describe a table in its folder: they are numbered."""
    found = Path(folder).expanduser().glob(_METADATA)
    return max(found, key=lambda path: (int(re.sub(r"\D.*", "", path.name.lstrip("v")) or 0), path.name))
