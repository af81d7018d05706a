"""Prefect for the tests of the flows: a home of its own, no telemetry, and one server for all nights in this process."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import quiet_prefect

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
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield
