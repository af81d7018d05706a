"""Processes of a site that are forked from one that has imported Prefect, the flows and what they use.

A night on workers starts many processes, which on a site of 200 users do little but import. Here their interpreter is a
client: it asks for a fork, and stands for it. It gets the fork's signals and ends as the fork does; where it is killed,
so is the fork with all below it. What is not forked the client becomes, and what that starts is forked.

All tests share the process that is forked: it ends with them.
"""

import os
import select
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.operate.guarded_app import LISTENER
from tests.prefect_homes import environment
from tests.sharing import SEVERAL, made_once, of_this_run
from tests.waiting import until

ROOT = Path(__file__).parents[2]

CLIENT = """\
#!{python} -IS
import json, os, signal, socket, sys

words = [word for word in sys.argv[1:] if word != "-P"]
kind = " ".join(words[1:3] if words[1:2] == ["flows"] else words[1:2])
files = [0, 1, 2, *([int(os.environ[{listener!r}])] if kind == {server!r} else [])]

def is_first(kind):
    try:
        os.close(os.open({own!r} + "/" + kind, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

if words[:1] != ["-m"] or kind not in {forked!r} or kind in {as_it_is!r} and is_first(kind):
    os.execv({python!r}, [{own!r} + "/bin/python3", *sys.argv[1:]])

server = socket.socket(socket.AF_UNIX)
server.connect({shared!r} + "/socket")
told = json.dumps([os.getpid(), files, {own!r} + "/bin/python3", os.getcwd(), dict(os.environ), words[1:]]).encode()
socket.send_fds(server, [len(told).to_bytes(8, "big")], files)
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
ENGINE, SERVER, WORKER = "prefect.engine", "flows.operate.guarded_app", "flows worker"
TEAM_SERVER, NIGHT, CANDIDATE = "flows server", "flows run", "recmodels.candidate"
FORKED = [ENGINE, SERVER, TEAM_SERVER, WORKER, NIGHT, "flows deploy", "prefect", CANDIDATE]
"""The modules that are forked, and commands of `flows`. Others choose Prefect's settings themselves, as `flows serve`
does, or are looked for below what started them, as Prefect's worker is: what is forked for a worker forks that."""


@dataclass(frozen=True)
class Waiting:
    """A process that can be forked as soon as it is told, through `want`, in which folder."""

    process: int
    want: int


waiting: Waiting | None = None  # where the tests' own processes are forked, too


def shared(factory: pytest.TempPathFactory) -> Path:
    """The folder of the process that is forked, which runs until the tests end."""
    return made_once(of_this_run(factory), "forked", begin)


def begin(folder: Path) -> None:
    """Start the process that is forked, and wait until it can be."""
    (folder / "log").touch()
    if waiting is not None:
        pid = waiting.process
        os.write(waiting.want, str(folder).encode())
    else:
        tests = os.getppid() if SEVERAL in os.environ else os.getpid()
        command = [sys.executable, "-P", "-m", "tests.deployments.forked_python", str(folder), str(tests)]
        one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # a process with further threads cannot be forked
        pid = subprocess.Popen(command, cwd=ROOT, env=one_thread, start_new_session=True).pid
    ended = os.pidfd_open(pid)
    until("it can be forked", lambda: (folder / "socket").exists() or has_ended(ended))
    assert not has_ended(ended), (folder / "log").read_text()
    os.close(ended)


def has_ended(process: int) -> bool:
    return bool(select.select([process], [], [], 0)[0])


def serve(folder: Path, tests: int) -> None:
    """Be the process that is forked, until the process of the tests has ended."""
    from tests.deployments import forking

    with (folder / "log").open("wb") as log, Path(os.devnull).open("rb") as nothing:
        for number, file in enumerate((nothing, log, log)):
            os.dup2(file.fileno(), number)
    own = environment(folder) | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    os.environ.clear()
    os.environ.update(own)
    os.chdir(folder)
    forking.main(folder, tests)


def interpreter(folder: Path, forks: Path, as_it_is: tuple[str, ...] = ()) -> Path:
    """The client, as an interpreter with the packages of this one.

    Args:
        folder: where it is made.
        forks: that of the process that it has forked.
        as_it_is: kinds of `FORKED` of which the first process is none.
    """
    (folder / "bin").mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    client = folder / "bin" / "python3"
    kinds = {"forked": FORKED, "as_it_is": as_it_is, "server": SERVER, "listener": LISTENER}
    client.write_text(CLIENT.format(python=sys.executable, own=str(folder), shared=str(forks), **kinds))
    client.chmod(0o755)
    (folder / "bin" / "python").symlink_to(client)
    return client


def fork_of(forks: Path, client: int) -> int | None:
    """The process that a client stands for."""
    with suppress(OSError, ValueError):
        return int((forks / str(client)).read_text())
    return None


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
