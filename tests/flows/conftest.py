"""Prefect for the tests of the flows: a home of its own, no telemetry, one server for all nights in this process."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli.app import quiet_prefect
from tests.flows.running import Demo, ended, start
from tests.flows.sites import DAY, write
from tests.waiting import PATIENCE

# Prefect reads its environment once, when it is imported.
HOME = os.environ.setdefault("PREFECT_HOME", tempfile.mkdtemp(prefix="nightrec-prefect-"))
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ.pop("PREFECT_API_URL", None)
quiet_prefect(debug=False)


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``PREFECT_HOME`` of the nights in other processes: its database is made by the first of them."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One server for all nights that run in this process, instead of one a night."""
    from prefect.events.worker import EventsWorker
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    quiet = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})  # a heartbeat costs each flow a second
    EventsWorker.drain_all()  # an earlier test's would go on sending what tasks tell to that test's server
    with prefect_test_harness(server_startup_timeout=int(PATIENCE)), quiet:
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, prefect_home: Path) -> Demo:
    """One night on a small demo site, as a newcomer runs it: by the module's name, in a process of its own."""
    folder = tmp_path_factory.mktemp("demo")
    write(folder / "nightrec.toml", "[demo]\nusers = 300\nitems = 120\ninteractions = 5000\n")
    return Demo(folder, ended(start("run", "--date", DAY.isoformat(), cwd=folder, home=prefect_home)))
