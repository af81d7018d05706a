"""Where Prefect keeps what it knows of the nights: on this machine, or at a server that is configured."""

from pathlib import Path
from urllib.parse import urlparse

SQLITE = "sqlite"


def prefect_places() -> tuple[Path, Path | None, str | None]:
    """Prefect's folder, the file of its SQLite database if it is one, and the address of a server's API if one is set.

    The file may not be there: no server has run on this machine.
    """
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    url = settings.server.database.connection_url
    address = url.get_secret_value() if url is not None else None
    database = None if address else settings.home / "prefect.db"
    if address and address.startswith(SQLITE) and ":memory:" not in address:
        database = Path(urlparse(address.replace("///", "//localhost/", 1)).path)
    return settings.home, database, settings.api.url
