"""Processes of a site that are forked from one that has imported Prefect, the flows and what they use.

A night on workers starts many processes, which on a site of 200 users do little but import. Here their interpreter is a
client: it asks for a fork, and stands for it. It gets the fork's signals and ends as the fork does; where it is killed,
so is the fork with all below it. What is not forked (servers, say) the client becomes, and what that starts is forked.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

CLIENT = """\
#!{python} -IS
import json, os, signal, socket, sys, time

words = [word for word in sys.argv[1:] if word != "-P"]
kind = " ".join(words[1:3] if words[1:2] == ["flows"] else words[1:2])

def is_first(kind):
    try:
        os.close(os.open({folder!r} + "/" + kind, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

if words[:1] != ["-m"] or kind not in {forked!r} or kind in {as_it_is!r} and is_first(kind):
    os.execv({python!r}, [{folder!r} + "/bin/python3", *sys.argv[1:]])

server = socket.socket(socket.AF_UNIX)
while not os.path.exists({folder!r} + "/socket"):
    time.sleep(0.05)
server.connect({folder!r} + "/socket")
told = json.dumps([os.getpid(), os.getcwd(), dict(os.environ), words[1:]]).encode()
socket.send_fds(server, [len(told).to_bytes(8, "big")], [0, 1, 2])
server.sendall(told)
fork = int.from_bytes(server.recv(8), "big")

def relay(number, frame):
    try:
        os.kill(fork, number)
    except ProcessLookupError:
        pass

signal.signal(signal.SIGTERM, relay)
signal.signal(signal.SIGINT, relay)
code = int.from_bytes(server.recv(8), "big", signed=True)
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""
ENGINE = "prefect.engine"
FORKED = [ENGINE, "prefect", "recmodels.candidate", "flows deploy", "flows worker"]
"""The modules that are forked, and commands of `flows`. Others choose Prefect's settings themselves, as `flows serve`
does, or are looked for below what started them, as Prefect's worker is."""
MODULES = [
    *("prefect.flow_engine", "prefect.cli.deploy._commands"),
    *("flows.nightly", "flows.signals", "flows.train_model", "flows.cli.app", "flows.operate.deploy"),
    "flows.operate.worker",
]


def interpreter(folder: Path, as_it_is: tuple[str, ...] = ()) -> Path:
    """The client, as an interpreter with the packages of this one.

    Args:
        as_it_is: kinds of `FORKED` of which the first process is none.
    """
    (folder / "bin").mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    client = folder / "bin" / "python3"
    client.write_text(CLIENT.format(python=sys.executable, folder=str(folder), forked=FORKED, as_it_is=as_it_is))
    client.chmod(0o755)
    (folder / "bin" / "python").symlink_to(client)
    return client


def is_client(command: list[str]) -> bool:
    return command[1:2] == ["-IS"]


def fork_of(folder: Path, client: int) -> int | None:
    """The process that a client stands for."""
    with suppress(OSError, ValueError):
        return int((folder / str(client)).read_text())
    return None


def main(folder: Path) -> None:
    """Answer clients until killed."""
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
    while True:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            stand_by(client, folder)
        client.close()


def preload() -> None:
    from expectations.runner import great_expectations
    from tests.flows import forked

    for module in MODULES + forked.PRELOADED:
        importlib.import_module(module)
    great_expectations()


def further_threads() -> list[str]:
    """The threads of this process by their names, but for the first, and that of pyarrow's jemalloc, which can fork."""
    tasks = sorted(Path("/proc/self/task").iterdir(), key=lambda task: int(task.name))
    return [name for task in tasks[1:] if (name := (task / "comm").read_text().strip()) != "jemalloc_bg_thd"]


def reap(number: int, frame: FrameType | None) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def stand_by(client: socket.socket, folder: Path) -> None:
    """Do in a fork what a client is to do, and be there for both until the one has ended or the other has gone."""
    head, streams, _, _ = socket.recv_fds(client, 8, 3)
    told = client.makefile("rb").read(int.from_bytes(head, "big"))
    pid, cwd, environment, command = json.loads(told)
    fork = os.fork()
    if fork == 0:
        client.close()
        run(streams, cwd, environment, command)
    for stream in streams:
        os.close(stream)
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


def run(streams: list[int], cwd: str, environment: dict[str, str], command: list[str]) -> None:
    """What `python -m` and a command do, with these streams, in this folder and with this environment."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    module, sys.argv = command[0], command
    if not hasattr(sys.modules.get(module), "__path__"):  # of a package it is another module that runs
        sys.modules.pop(module, None)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
