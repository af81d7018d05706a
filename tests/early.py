"""A process that runs a few tests while all others are imported and collected, which only one process can do."""

import json
import os
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytest

from tests import forks

REORDERED = ("lf", "failedfirst", "newfirst", "stepwise")  # options by which what runs depends on all that is collected


def is_of_use(config: pytest.Config) -> bool:
    """Whether all tests are collected, so that it takes long, and by as many processes as run at once anyway."""
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return everything and not any(config.getoption(name, default=False) for name in REORDERED)


class Early:
    """A fork that collects tests and begins with them at once; what it reports it keeps until somebody listens.

    Attributes:
        process: the process.
        connection: to it.
    """

    def __init__(self, session: pytest.Session, folder: str, mine: Callable[[pytest.Item], bool]) -> None:
        """Begin with the tests of a folder that are `mine`."""
        self.connection, theirs = forks.FORK.Pipe()
        forks.quiet(session.config)
        self.process = forks.FORK.Process(target=run, args=(session, theirs, self.connection, folder, mine))
        self.process.start()
        theirs.close()
        self.connection.recv_bytes()  # it has taken its own output, which is this process's no more
        session.config.add_cleanup(self.stop)

    def listen(self) -> list[str]:
        """Have it send its reports; returns the node IDs of its tests, none if it has failed."""
        try:
            self.connection.send_bytes(b"listening")
            tests: list[str] = json.loads(self.connection.recv_bytes())
        except (BrokenPipeError, ConnectionResetError, EOFError):  # it could not collect them
            return []
        return tests

    def stop(self) -> None:
        """End it, if it has not: its tests are not wanted any more."""
        self.connection.close()
        self.process.kill()
        self.process.join()


class Patient:
    """A connection to a process that does not listen yet: what is sent is kept until it does."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.kept: list[bytes] = []
        self.listens = False

    def send_bytes(self, told: bytes) -> None:
        self.kept.append(told)
        if self.listens or self.connection.poll():
            self.flush()

    def flush(self) -> None:
        """Send what is kept, once the other process listens."""
        if not self.listens:
            self.connection.recv_bytes()
            self.listens = True
        while self.kept:
            self.connection.send_bytes(self.kept.pop(0))


def run(
    session: pytest.Session, parent: Connection, other: Connection, folder: str, mine: Callable[[pytest.Item], bool]
) -> None:
    """Collect the tests of a folder, and run those that are `mine`."""
    patient = Patient(parent)
    with forks.own_process(session, patient, [other], 0) as reports:
        parent.send_bytes(b"ready")
        session.perform_collect([os.fspath(session.config.rootpath / folder)])
        session.items = [item for item in session.items if mine(item)]
        patient.send_bytes(json.dumps([item.nodeid for item in session.items]).encode())
        forks.run_tests(session, reports, [range(len(session.items))])
        patient.flush()
