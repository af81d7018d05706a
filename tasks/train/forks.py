"""Candidates' processes that begin with everything imported: forks of one process, which a night keeps.

To start Python and import what a candidate needs takes longer than some of them are fitted.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import IO, Any

from recmodels.supervised import THREADS

PROGRAM = "recmodels.candidate_forks"
ROOT = Path(__file__).parents[2]
AVAILABLE = hasattr(os, "pidfd_open")  # on Linux
KILLED = -signal.SIGKILL
PATIENCE = 60  # seconds that imports may take


class Fork:
    """A forked candidate, as what starts it sees its process: what is used of `subprocess.Popen`."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.returncode: int | Any = None  # as there
        told.settimeout(PATIENCE)
        self.pid = int(told.recv(32) or 0)
        if not self.pid:
            raise ConnectionError("what forks candidates has ended")

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired while it runs."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(32) or KILLED)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired("a candidate", timeout or 0) from None
            except ConnectionError:
                self.returncode = KILLED
            self._told.close()
        return int(self.returncode)

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Forks:
    """The process that forks candidates: all have the environment that it was started with, but for their threads."""

    def __init__(self, wanted: bool = True) -> None:
        self._wanted, self._lock = wanted and AVAILABLE, Lock()
        self._environment: dict[str, str] | None = None
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, recommenders: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it, so that it has imported what these recommenders need when the first of them is trained."""
        with self._lock:
            if self._process is not None or not self._wanted:
                return
            self._environment = dict(environment)
            self._socket, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", PROGRAM, str(theirs.fileno()), *recommenders],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    cwd=ROOT, env=environment, pass_fds=[theirs.fileno()],
                )  # fmt: skip

    def fork(self, spec: str, log: IO[bytes], environment: Mapping[str, str]) -> Fork | None:
        """A candidate's process; None where it cannot be had, as it is to have another environment."""
        threads = {name: environment[name] for name in THREADS if name in environment}
        if self._socket is None or self._environment is None or self._environment | threads != environment:
            return None
        message = json.dumps({"spec": spec, "threads": threads}).encode()
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        try:
            with theirs, self._lock:
                socket.send_fds(self._socket, [message], [theirs.fileno(), log.fileno()])
            return Fork(ours)
        except OSError:  # it was killed
            ours.close()
            return None

    def close(self) -> None:
        """Let it end: its memory is for others."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.kill()  # it may be importing yet
            self._process.wait()
            self._socket = None


_forks: ContextVar[Forks | None] = ContextVar("forks", default=None)


@contextmanager
def forked_trainings(wanted: bool) -> Iterator[Forks]:
    """Candidates that are trained in the block by this machine are forked, once that process has begun."""
    forks = Forks(wanted)
    token = _forks.set(forks)
    try:
        yield forks
    finally:
        _forks.reset(token)
        forks.close()


def begun(command: Sequence[str], log: IO[bytes], environment: Mapping[str, str]) -> Fork | None:
    """The process of a candidate as a fork; None where there are none."""
    forks = _forks.get()
    return None if forks is None else forks.fork(command[-2], log, environment)
