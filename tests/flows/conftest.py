"""Prefect for the tests of the flows: no telemetry, one server for all nights in this process, one night to look at."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from flows.operate.server import _own_server, embedded_server, quiet_prefect
from tests.deployments import forked_python
from tests.flows.plain import without_prefect
from tests.flows.running import Demo, Ran, ended, start
from tests.flows.sites import DAY, write
from tests.prefect_homes import SETTINGS, WITHOUT_EVENTS, new_home
from tests.sharing import made_once, of_this_run
from tests.tasks.one_database import one_database  # noqa: F401
from tests.waiting import until

quiet_prefect(debug=False)
os.environ |= SETTINGS | WITHOUT_EVENTS
os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # also the server's program is the one of these sources


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``PREFECT_HOME`` of the nights in other processes."""
    return new_home(tmp_path_factory.mktemp("prefect"))


@pytest.fixture(scope="session")
def prefect_server(python: Path) -> Iterator[None]:
    """One server for all nights that run in this process, instead of one a night; that of `demo` is not forked."""
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all()  # an earlier test's would go on sending what tasks tell to that test's server
    new_home(Path(os.environ["PREFECT_HOME"]))
    forked = patch("flows.operate.server.sys", SimpleNamespace(executable=str(python)))
    with forked, embedded_server() as ready:
        ready()
        yield
        EventsWorker.drain_all()
    _, _, own = _own_server()
    setattr(own, "start", lambda: own.process)  # noqa: B010  (it would be started again)
    own.process.kill()
    until("it is gone", own.gone)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter by which all nights but the first, and what they start, are forked.

    The process that is forked has imported what they need.
    """
    return forking(tmp_path_factory, as_it_is=(forked_python.NIGHT,))


def forking(factory: pytest.TempPathFactory, as_it_is: tuple[str, ...] = ()) -> Path:
    """Such an interpreter; of the kinds that are `as_it_is` the first process is not forked."""
    if sys.platform != "linux":
        return Path(sys.executable)
    return forked_python.interpreter(factory.mktemp("forked"), forked_python.shared(factory), as_it_is)


@pytest.fixture(scope="module")
def no_prefect() -> Iterator[None]:
    """The nights of a module run without Prefect, which is nothing that its tests look at."""
    with without_prefect():
        yield


@pytest.fixture
def plain() -> Iterator[None]:
    """As `no_prefect`, for one test of a module whose other nights run in Prefect."""
    with without_prefect():
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One night on a small demo site, as a newcomer runs it: by the module's name, in a process of its own.

    Its database is there: `new_home` has made it as the server would at its first start, in as long as the night takes.
    Its server and its first candidate are started as they are, the other candidates are forked.
    """

    def make(folder: Path) -> None:
        python = forking(
            tmp_path_factory, as_it_is=(forked_python.NIGHT, forked_python.SERVER, forked_python.CANDIDATE)
        )
        write(folder / "nightrec.toml", "[demo]\nusers = 300\nitems = 120\ninteractions = 5000\n")
        home = new_home(folder / "prefect")
        ran = ended(start("run", "--date", DAY.isoformat(), cwd=folder, home=home, python=python))
        write(folder / "ran.json", json.dumps(asdict(ran)))

    folder = made_once(of_this_run(tmp_path_factory), "demo", make)
    return Demo(folder, Ran(**json.loads((folder / "ran.json").read_text())))
