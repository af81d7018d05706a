"""Homes and databases of Prefect for the servers of tests, made once and copied: making one takes many seconds."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.sharing import KEPT, made_once
from tests.tasks.servers import postgres, postgres_folder

MAKE = """
import asyncio
from prefect.server.database import provide_database_interface
asyncio.run(provide_database_interface().create_db())
"""
SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Of Prefect's forms for addresses and passwords of other services nothing here makes use; writing them down takes
    # a fifth of the first start of a server.
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}
WITHOUT_EVENTS = {
    f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
    for service in ("TRIGGERS", "EVENT_PERSISTER", "TASK_RUN_RECORDER")
}
"""Of servers whose tests look for no events, automations or tasks: most of what a night costs a server. The tests of
`deployments` that do look for them have one with all its services."""


def new_home(home: Path) -> Path:
    """Make a folder a server's ``PREFECT_HOME``: one without any run, flow or deployment."""
    home.mkdir(exist_ok=True)
    made = made_once(KEPT, f"prefect-{version('prefect')}", make_database)
    shutil.copyfile(made / "prefect.db", home / "prefect.db")
    return home


def make_database(home: Path) -> None:
    subprocess.run([sys.executable, "-c", MAKE], check=True, env=environment(home), stdout=subprocess.DEVNULL)


def fill_postgres(address: str) -> None:
    """Put Prefect's tables, without any run, flow or deployment, into the PostgreSQL at an address."""
    made = made_once(KEPT, f"prefect-{version('prefect')}-postgres", make_tables)
    load = [postgres_folder() / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", made / "tables.sql", address]
    subprocess.run(load, check=True, stdout=subprocess.DEVNULL)


def make_tables(folder: Path) -> None:
    with postgres("nightrec") as address:
        database = {"PREFECT_API_DATABASE_CONNECTION_URL": for_prefect(address)}
        subprocess.run([sys.executable, "-c", MAKE], check=True, env=environment(folder) | database)
        dump = [postgres_folder() / "pg_dump", "--no-owner", "--file", folder / "tables.sql", address]
        subprocess.run(dump, check=True)


def for_prefect(address: str) -> str:
    """The address of a PostgreSQL as Prefect's server is told it."""
    return address.replace("postgresql", "postgresql+asyncpg", 1)


def environment(home: Path) -> dict[str, str]:
    """The environment of a process with this home: nothing of our own settings, nor of Prefect's."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "NIGHTREC_"))}
    read = {name: os.environ[name] for name in ("PREFECT_API_SSL_CERT_FILE",) if name in os.environ}
    return others | SETTINGS | read | {"PREFECT_HOME": str(home)}
