"""What tests fork processes from, forked itself from the process that has imported everything and runs none of them.

Without it each process of the tests would start its own: that of `multiprocessing`, from which candidates are forked,
and that of `tests.deployments.forked_python`.
"""

import logging
import os
import socket
from collections.abc import Callable
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import arbitrary_address
from pathlib import Path

from tests.deployments import forked_python


def candidates(as_it_was: Callable[[], None]) -> None:
    """Start the server of `multiprocessing`'s forks; this process and all that are forked from it use it as it is.

    Args:
        as_it_was: gives a fork the output that this process had before pytest captured it.
    """
    resource_tracker.ensure_running()
    server = forkserver._forkserver  # type: ignore[attr-defined]
    with socket.socket(socket.AF_UNIX) as listener:
        address = arbitrary_address("AF_UNIX")
        listener.bind(address)
        Path(address).chmod(0o600)
        listener.listen()
        used, using = os.pipe()  # which says that nobody uses it any more

        def serve() -> None:
            os.close(using)
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)  # what candidates say is in their logs
            forkserver.main(listener.detach(), used, [])

        server._forkserver_pid = forked(serve, as_it_was)
        os.close(used)
    server._forkserver_address, server._forkserver_alive_fd = address, using
    server.ensure_running = forkserver.ensure_running = lambda: None


def site_processes(as_it_was: Callable[[], None]) -> None:
    """Have a process wait until `forked_python` wants one that it can fork; for `as_it_was` see `candidates`."""
    wanted, want = os.pipe()
    tests = os.getpid()

    def wait() -> None:
        os.close(want)
        if folder := os.read(wanted, 4096).decode():
            os.setsid()
            forked_python.serve(Path(folder), tests)

    forked_python.waiting = forked_python.Waiting(forked(wait, as_it_was), want)
    os.close(wanted)


def forked(do: Callable[[], None], as_it_was: Callable[[], None]) -> int:
    """A fork that does something and ends; returns its process ID.

    What is forked from the fork ends here, too, with the code that it asks for.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            as_it_was()
            logging.getLogger().handlers.clear()  # are pytest's
            do()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            os._exit(code)
    return pid
