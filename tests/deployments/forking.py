"""The process that `tests.deployments.forked_python` has forked: it imports what they need, and answers clients."""

import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType, SimpleNamespace

MODULES = [
    *("prefect.flow_engine", "prefect.cli.deploy._commands", "prefect.workers.process"),
    *(f"flows.{flow}" for flow in ("backfill", "nightly", "refilter", "replay", "reporting", "signals", "simulate")),
    *("flows.train_model", "flows.cli.app", "flows.operate.deploy", "flows.operate.worker"),
    *("flows.operate.calm_worker", "flows.operate.lasting_server"),
    *("tasks.report.page", "tests.flows.running", "sklearn.feature_extraction.text"),
    # Of servers, what reads no settings as it is imported.
    *("uvicorn", "docket", "prefect.server.models", "prefect.server.api.artifacts"),
]
WORKER = "flows.operate.process_worker"
MOST = 8  # open files that a client sends


def main(folder: Path, tests: int) -> None:
    """Answer clients until the process of the tests has ended."""
    ended = os.pidfd_open(tests)
    gc.disable()
    preload()
    gc.freeze()
    gc.enable()
    assert not further_threads()  # one could hold a lock, which nobody frees in the fork
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "new"))
    listener.listen(16)
    (folder / "new").rename(folder / "socket")
    signal.signal(signal.SIGCHLD, reap)
    while ended not in select.select([listener, ended], [], [])[0]:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            os.close(ended)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            stand_by(client, folder)
        client.close()


def preload() -> None:
    from expectations.runner import great_expectations
    from tasks.store import versions
    from tests.flows import forked

    for module in MODULES + forked.PRELOADED:
        importlib.import_module(module)
    great_expectations()
    versions.code_version()
    versions.imported_by(*(name for name in sys.modules if name.startswith(("tasks.", "recmodels."))))


def further_threads() -> list[str]:
    """The threads of this process by their names, but for the first, and those of pyarrow's jemalloc, which can fork.

    The first is not always that of the lowest number: numbers begin anew after the highest one.
    """
    tasks = sorted(Path("/proc/self/task").iterdir())
    names = [(task / "comm").read_text().strip() for task in tasks if task.name != str(os.getpid())]
    return [name for name in names if name != "jemalloc_bg_thd"]


def reap(number: int, frame: FrameType | None) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def stand_by(client: socket.socket, folder: Path) -> None:
    """Do in a fork what a client is to do, and be there for both until the one has ended or the other has gone."""
    head, files, _, _ = socket.recv_fds(client, 8, MOST)
    told = client.makefile("rb").read(int.from_bytes(head, "big"))
    pid, numbers, python, cwd, environment, command = json.loads(told)
    fork = os.fork()
    if fork == 0:
        client.close()
        sys.executable = python
        run(dict(zip(numbers, files, strict=True)), cwd, environment, command)
    for file in files:
        os.close(file)
    (folder / str(pid)).write_text(str(fork))
    client.sendall(fork.to_bytes(8, "big"))
    ended = os.pidfd_open(fork)
    if ended not in select.select([ended, client], [], [])[0]:
        kill_family(fork)
    code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
    (folder / str(pid)).unlink()
    with suppress(OSError):
        client.sendall(code.to_bytes(8, "big", signed=True))
    os._exit(0)


def kill_family(pid: int) -> None:
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                one.kill()


def run(files: dict[int, int], cwd: str, environment: dict[str, str], command: list[str]) -> None:
    """What `python -m` and a command do, with these open files by their numbers, in this folder and environment."""
    aside = {number: fcntl.fcntl(file, fcntl.F_DUPFD, 100) for number, file in files.items()}
    for file in set(files.values()) - set(files):
        os.close(file)
    for number, file in aside.items():
        os.dup2(file, number)
        os.close(file)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # is that of this environment
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    from flows.operate import guarded_app, server, worker
    from tests.flows.running import pages_without_charts

    if command[:2] == ["flows", "run"]:  # which chooses these itself, before it imports Prefect
        server.quiet_prefect(debug=False)
    if command[0] != "recmodels.candidate":  # which has nothing to do with Prefect
        refresh_global_settings_context()
    if command[:2] == ["flows", "run"]:
        setup_logging()
    setattr(worker, "subprocess", SimpleNamespace(**PROCESSES))  # noqa: B010
    setattr(guarded_app, "serve", partial(serve, guarded_app.serve))  # noqa: B010
    module, sys.argv = command[0], command
    if not hasattr(sys.modules.get(module), "__path__"):  # of a package it is another module that runs
        sys.modules.pop(module, None)
    if module == "recmodels.candidate" and (hold := held(Path(sys.executable), Path(command[1]))).exists():
        hold.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)
    with pages_without_charts():
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


def held(python: Path, spec: Path) -> Path:
    """The file that is there where a training that such an interpreter is to do stops before it begins.

    The training writes its process ID there.
    """
    return python.parents[1] / f"held {spec.name}"


def serve(with_these: Callable[[], None]) -> None:
    """Serve with the settings that `flows server` has chosen since Prefect was imported."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    with_these()


class Below:
    """Prefect's worker, forked from what starts it: what that uses of `subprocess.Popen`."""

    def __init__(self, command: list[str], *, stdin: int, env: dict[str, str], start_new_session: bool) -> None:
        assert command[1:4] == ["-P", "-m", WORKER] and stdin == subprocess.PIPE and start_new_session
        theirs, self.stdin = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stdin)
            run({0: theirs, 1: 1, 2: 2}, str(Path.cwd()), env, command[3:])
        os.close(theirs)
        self.ended = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        if not select.select([self.ended], [], [], 0)[0]:
            return None
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def wait(self, timeout: float) -> None:
        if not select.select([self.ended], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(WORKER, timeout)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


PROCESSES = {"Popen": Below, "PIPE": subprocess.PIPE, "TimeoutExpired": subprocess.TimeoutExpired}
