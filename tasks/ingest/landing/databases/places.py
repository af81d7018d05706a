"""Files that are databases, by their addresses: `sqlite:///shop.db` here, `sqlite:////data/shop.db` anywhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from recmodels.errors import ConfigError
from tasks.ingest.reading.addresses import scheme


def local_file(address: str) -> Path:
    """The path of a database's file.

    Raises:
        ConfigError: there is none.
    """
    kind = scheme(address)
    host, _, path = address.partition("://")[2].partition("?")[0].partition("/")
    if host or not path:
        raise ConfigError(f"'{address}' names no file; write {kind}:///shop.db, or {kind}:////data/shop.db.")
    found = Path(unquote(path)).expanduser()
    if not found.is_file():
        raise ConfigError(f"{kind}: there is no file '{found}'; check the path.")
    return found
