"""Homes of Prefect for the servers of tests, with a database that was made once: making it takes many seconds."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.sharing import KEPT, made_once

MAKE = """
import asyncio
from prefect.server.database import provide_database_interface
asyncio.run(provide_database_interface().create_db())
"""
SETTINGS = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def new_home(home: Path) -> Path:
    """Make a folder a server's ``PREFECT_HOME``: one without any run, flow or deployment."""
    home.mkdir(exist_ok=True)
    made = made_once(KEPT, f"prefect-{version('prefect')}", make_database)
    shutil.copyfile(made / "prefect.db", home / "prefect.db")
    return home


def make_database(home: Path) -> None:
    subprocess.run([sys.executable, "-c", MAKE], check=True, env=environment(home), stdout=subprocess.DEVNULL)


def environment(home: Path) -> dict[str, str]:
    """The environment of a process with this home: nothing of our own settings, nor of Prefect's."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "NIGHTREC_"))}
    return others | SETTINGS | {"PREFECT_HOME": str(home)}
