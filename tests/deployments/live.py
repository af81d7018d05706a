"""A site that runs for real in tests: a Prefect server, workers and deployments, as processes of their own."""

import fcntl
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)
from prefect.states import Cancelling

from tests.deployments import forked_python, forking
from tests.prefect_homes import environment, new_home
from tests.tasks.servers import free_port
from tests.waiting import PATIENCE, until, until_ended

ROOT = Path(__file__).parents[2]


@dataclass
class Site:
    """A folder with a nightrec.toml and a store, a server, and the workers that were started."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    of_server: dict[str, str] = field(default_factory=dict)  # what the server's environment has more
    server: tuple[str, ...] = ("prefect", "server", "start")
    port: int = field(default_factory=free_port)
    python: Path = Path(sys.executable)
    forks: Path | None = None
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    clients: ExitStack = field(default_factory=ExitStack)
    open_client: SyncPrefectClient | None = None

    @classmethod
    def new(cls, factory: pytest.TempPathFactory, name: str, environment: Mapping[str, str] = {}) -> Self:
        """A site in a new folder, with a home for Prefect's server."""
        folder = factory.mktemp(name)
        new_home(folder / "prefect")
        return cls(folder, dict(environment))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def start(self, name: str, *command: str, more: Mapping[str, str] = {}) -> "subprocess.Popen[bytes]":
        """Start a process by the module it runs; its output goes to ``<name>.log``."""
        own = self.folder / "tmp"  # where candidates share the machine: a frozen one stops no other site's
        own.mkdir(exist_ok=True)
        settings = {
            "TMPDIR": str(own),
            "PREFECT_API_URL": f"{self.url}/api",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(self.python), "-P", "-m", *command],
                cwd=self.folder,
                env=environment(self.folder / "prefect") | settings | self.environment | dict(more),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[name]

    def start_server(self) -> None:
        address = ("--host", "127.0.0.1", "--port", str(self.port))
        self.start("server", *self.server, *address, more=self.of_server)
        self.wait_for_server()

    def wait_for_server(self) -> None:
        def answers() -> bool:
            assert self.processes["server"].poll() is None, self.log("server")
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/api/health", timeout=PATIENCE):
                return True
            return False

        until("the server answers", answers)

    def start_worker(self, pool: str, *options: str) -> None:
        self.begin_worker(pool, *options)
        self.wait_for_worker(pool)

    def begin_worker(self, pool: str, *options: str) -> None:
        """Start a worker without waiting for it, as where another one is started beside it."""
        self.start(f"worker-{pool}", "flows", "worker", pool, "--name", pool, *options)

    def wait_for_worker(self, pool: str) -> None:
        with self.client() as client:
            until(
                f"a worker in {pool}",
                lambda: any(w.status == "ONLINE" for w in client.read_workers_for_work_pool(pool)),
                every=0.3,
            )

    def fork_processes(self, forks: Path, as_it_is: tuple[str, ...] = ()) -> None:
        """Have what is started from now on forked, but for the first process of the kinds that are `as_it_is`."""
        self.forks = forks
        self.python = forked_python.interpreter(self.folder / "forked", forks, as_it_is)

    def deploy(self, *options: str) -> list[str]:
        """``nightrec deploy``; the names of the deployments."""
        process = self.start("deploy", "flows", "deploy", *options)
        assert process.wait(PATIENCE) == 0, self.log("deploy")
        return [line for line in self.log("deploy").splitlines() if "/" in line]

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        """A client of the site's server, which stays open: one a question would cost more than the question."""
        settings = {
            PREFECT_API_URL: f"{self.url}/api",
            PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
            PREFECT_API_AUTH_STRING: self.environment.get("PREFECT_API_AUTH_STRING"),
        }
        with temporary_settings(settings):
            if self.open_client is None:
                self.open_client = self.clients.enter_context(get_client(sync_client=True))
            yield self.open_client

    def run(self, deployment: str, **parameters: Any) -> FlowRun:
        """A new run of a deployment."""
        with self.client() as client:
            id_ = client.read_deployment_by_name(deployment).id
            return client.create_flow_run_from_deployment(id_, parameters=parameters)

    def read(self, run: FlowRun) -> FlowRun:
        with self.client() as client:
            return client.read_flow_run(run.id)

    def ended(self, run: FlowRun) -> FlowRun:
        """A run in its final state."""

        return self.in_state(run, f"{run.name} ends", lambda state: state.is_final())

    def in_state(self, run: FlowRun, what: str, wanted: "Callable[[State[Any]], bool]") -> FlowRun:
        """A run in the state that is waited for, looked at as seldom as will do: each look costs the server."""

        def found() -> FlowRun | None:
            now = self.read(run)
            return now if now.state is not None and wanted(now.state) else None

        return until(what, found, every=1)

    def children(self, run: FlowRun) -> dict[str, FlowRun]:
        """The runs that a run has started, by name."""
        of_parent = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]))
        with self.client() as client:
            return {child.name: child for child in client.read_flow_runs(flow_run_filter=of_parent)}

    def runs(self, deployment: str) -> list[FlowRun]:
        with self.client() as client:
            id_ = client.read_deployment_by_name(deployment).id
            mine = DeploymentFilter(id=DeploymentFilterId(any_=[id_]))
            return client.read_flow_runs(deployment_filter=mine)

    def cancel(self, run_id: UUID) -> None:
        """What the button of the UI does."""
        with self.client() as client:
            client.set_flow_run_state(run_id, Cancelling())

    def fork_of(self, process: psutil.Process) -> int | None:
        return forked_python.fork_of(self.forks, process.pid) if self.forks else None

    def frozen(self, *names: str) -> Iterator[tuple[str, psutil.Process]]:
        """The processes of trainings that are yet to come, each stopped before it begins.

        They come one at a time, as each takes all of the machine: the next one when the one before has ended.
        """
        held = {name: forking.held(self.python, Path(f"{name}-train.spec.json")) for name in names}
        for file in held.values():
            file.touch()

        def stopped() -> tuple[str, psutil.Process] | None:
            for name, file in held.items():
                if pid := file.read_text():
                    process = psutil.Process(int(pid))
                    return (name, process) if process.status() == psutil.STATUS_STOPPED else None
            return None

        while held:
            name, process = until(f"one is trained of {', '.join(held)}", stopped)
            held.pop(name).unlink()
            yield name, process

    def until_one_waits(self) -> None:
        """Wait until a training waits for the machine, which another one has."""
        turn = self.folder / "tmp" / f"nightrec-{os.getuid()}" / "turn"

        def taken() -> bool:
            with turn.open("ab") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return True
            return False

        until("another training waits", taken)

    @staticmethod
    def thaw(process: psutil.Process) -> None:
        """Let it go on, unless what the test has just done ended it already."""
        with suppress(psutil.NoSuchProcess):
            process.resume()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def family(self, name: str) -> list[psutil.Process]:
        """A process of the site and all below it, and what it has forked."""
        found = below(self.processes[name].pid)
        for process in found:  # which grows meanwhile
            if fork := self.fork_of(process):
                found += below(fork)
        return found

    def kill(self, name: str) -> None:
        """SIGKILL to a process and all below it, as when its machine loses power."""
        family = self.family(name)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.processes[name].wait(PATIENCE)
        until_ended(family)

    def stop_all(self) -> None:
        self.clients.close()
        for name in self.processes:
            self.kill(name)


def below(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []
