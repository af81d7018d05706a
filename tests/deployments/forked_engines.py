"""Flow processes of the stack's workers: forked from a process that has imported Prefect, the flows and what they use.

A night on workers starts several, which on a site of 200 users do little but import. A worker starts what it finds as
`python` beside its own interpreter: here that is a client, which asks for a fork and stands for it. It gets the fork's
signals and ends as the fork does; where it is killed, so is the fork with all below it. `test_ui.py` has flow processes
as they are.
"""

import gc
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
import json, os, signal, socket, sys

assert sys.argv[1:] == ["-m", "prefect.engine"], sys.argv
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
told = json.dumps([os.getpid(), os.getcwd(), dict(os.environ)]).encode()
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


def interpreter(folder: Path) -> Path:
    """An interpreter with the packages of this one, beside which `python` is the client."""
    (folder / "bin").mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    real, client = folder / "bin" / "python3", folder / "bin" / "python"
    real.symlink_to(sys.executable)
    client.write_text(CLIENT.format(python=sys.executable, address=str(folder / "socket")))
    client.chmod(0o755)
    return real


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
    import prefect.flow_engine  # noqa: F401

    import flows.nightly
    import flows.signals
    import flows.train_model  # noqa: F401
    from expectations.runner import great_expectations

    great_expectations()


def reap(number: int, frame: FrameType | None) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def stand_by(client: socket.socket, folder: Path) -> None:
    """Run the engine of a client in a fork, and be there for both until the one has ended or the other has gone."""
    head, streams, _, _ = socket.recv_fds(client, 8, 3)
    told = client.makefile("rb").read(int.from_bytes(head, "big"))
    pid, cwd, environment = json.loads(told)
    fork = os.fork()
    if fork == 0:
        client.close()
        engine(streams, cwd, environment)
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


def engine(streams: list[int], cwd: str, environment: dict[str, str]) -> None:
    """What `python -m prefect.engine` does, with these streams, in this folder and with this environment."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["prefect.engine"]
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
