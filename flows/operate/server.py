"""Prefect's server for nights that are run where none is configured: it ends with the night, however that ends."""

import logging
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from recmodels.errors import NightrecError

PATIENCE = 600  # seconds: far beyond the slowest first start, which makes the database
WATCH = '"$@" & read -r _; kill $!'  # the server runs until this process lets go of the shell's standard input


@contextmanager
def embedded_server() -> Iterator[Callable[[], None]]:
    """Run a Prefect server during the block, unless one is configured; yields a function that waits until it answers.

    Prefect would start one itself. That one outlives a process that is killed, and dies before it on Ctrl-C (which
    reaches every process of the terminal), so that the flow waits for a server that is gone. Starting it here also
    lets the rest be imported meanwhile.

    Flows send no heartbeats to it: nobody watches them there, and ending them takes a second.
    """
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    if PREFECT_API_URL.value():
        yield lambda: None
        return
    api, server = _own_server()
    if server.poll() is not None:  # it was stopped since
        _own_server.cache_clear()
        api, server = _own_server()
    with temporary_settings({PREFECT_API_URL: api, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield lambda: wait_for(f"{api}/health", server)
    # The server is needed until Python exits: Prefect sends its last log lines then.


@cache
def _own_server() -> tuple[str, "subprocess.Popen[bytes]"]:
    """Start the server of this process, once: its address, and the server."""
    port = free_port()
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--lifespan", "on"]
    settings = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    return f"http://127.0.0.1:{port}/api", guarded([*uvicorn, *options], settings)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def guarded(command: list[str], settings: dict[str, str], quiet: bool = False) -> "subprocess.Popen[bytes]":
    """Start a program that ends when this process does, however that ends, and not with Ctrl-C in the terminal."""
    return subprocess.Popen(
        ["sh", "-c", WATCH, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL if quiet else None,
        env=os.environ | settings,
        start_new_session=True,
    )


def wait_for(health: str, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    server.kill()
    raise NightrecError(f"Prefect's server did not start within {PATIENCE} s; try again, or set PREFECT_API_URL.")


def quiet_prefect(debug: bool) -> None:
    """Prefect with its embedded server where no other is configured, without telemetry, its log kept to its UI."""
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "nightrec",
        "GX_ANALYTICS_ENABLED": "false",
    }
    if not debug:
        defaults |= {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL", "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL"}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    logging.raiseExceptions = debug  # an interrupted night cannot send its last log lines, and that is no news
