"""Where Prefect keeps what it knows of the nights: on this machine, or at a server that is configured."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlparse

SQLITE = "sqlite"
DEAD = "-7 days"
"""No night runs that long: one that shows as running since then was killed before it could say so."""


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


def write_off_the_dead(database: Path) -> None:
    """Say of nights that were killed that they have crashed: Prefect prunes what has ended, and nothing else.

    Those of workers are left to their server, which hears of them. The database may be in use, or of another version of
    Prefect: then this is done another time.
    """
    if not database.is_file():
        return
    dead = (
        "FROM flow_run WHERE state_type IN ('PENDING', 'RUNNING', 'CANCELLING') AND deployment_id IS NULL "
        f"AND parent_task_run_id IS NULL AND start_time < strftime('%Y-%m-%d %H:%M:%f', 'now', '{DEAD}')"
    )
    with suppress(sqlite3.Error), closing(sqlite3.connect(database, timeout=1)) as connection, connection:
        connection.execute(
            "UPDATE flow_run_state SET type = 'CRASHED', name = 'Crashed', message = 'its process was killed' "
            f"WHERE id IN (SELECT state_id {dead})"
        )
        connection.execute(
            "UPDATE flow_run SET state_type = 'CRASHED', state_name = 'Crashed', end_time = start_time "
            f"WHERE id IN (SELECT id {dead})"
        )


def may_have_automations(database: Path | None) -> bool:
    """Whether anything is to be done when something happens to runs; None, another database than SQLite's, may say so.

    One that has none has those of nobody: the server of a night is used by that night alone.
    """
    if database is None:
        return True
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(database, timeout=1)) as connection:
            return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM automation)").fetchone()[0])
    except sqlite3.Error:  # in use, or of another version of Prefect
        return True
