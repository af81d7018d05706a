"""Prefect's server, started by a night where none is configured, and by `nightrec serve`: it ends with its parent."""

import errno
import logging
import os
import re
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from flows.operate.access import in_url, reached
from flows.operate.database import prefect_places, write_off_the_dead
from flows.operate.guarded_app import ADDRESSES, CERTIFICATE, EPHEMERAL, LISTENER
from recmodels.compute.memory import all_stays
from recmodels.errors import ConfigError, NightrecError

PATIENCE = 600  # seconds: far beyond the slowest first start, which makes the database
RESTARTS = 3  # of the server of a night that is killed
LONG = 10_000_000  # bytes of its log
LOOPBACK = "127.0.0.1"
SETTINGS_FILES = {"prefect.toml": "", "pyproject.toml": "tool.prefect", ".env": "prefect_"}
"""Of the working directory: Prefect takes settings from those that say this."""
FOR_PEOPLE = {  # of a server whose interface people use
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_UI_API_URL": "/api",  # of whichever address the browser uses
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # its pages call a service on the internet
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Of runs that go on while the server is started again, which would end a few minutes later: their slots were gone.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
}


class Server:
    """A server as a process of its own, which is started again on the same socket where it is asked to last.

    The socket is opened here, so nobody else can take its port before the server is up or while it is started again;
    requests wait meanwhile.

    Args:
        listener: the socket that it answers on.
        addresses: by which clients and browsers name it.
        auth: its secret, as `user:password`.
        settings: further environment variables.
        log: what it prints, instead of a file without a name.
    """

    def __init__(
        self,
        listener: socket.socket,
        addresses: Sequence[str],
        auth: str,
        settings: dict[str, str],
        log: IO[bytes] | None = None,
    ) -> None:
        self.listener, self.lasting, self.up = listener, False, False
        self.host, self.port = listener.getsockname()[:2]
        self.log = log or tempfile.TemporaryFile()  # noqa: SIM115
        self.environment = {
            **told(listener, addresses, auth),
            **settings,
        }
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """The server as a process; it ends when this one does, however that ends, and not by Ctrl-C in the terminal."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.operate.guarded_app"],
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            env=os.environ | self.environment,
            pass_fds=[self.listener.fileno()],
            start_new_session=True,
        )

    def wait(self) -> None:
        """Until it answers.

        Raises:
            NightrecError: it ended, or takes longer than anybody would wait.
        """
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self.gone():
            if self.answers():
                self.up = True
                return
            time.sleep(0.1)
        slow = time.monotonic() >= until
        self.process.kill()
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - 8000))
        said = last_error(self.log.read().decode(errors="replace"))
        why = f"not within {PATIENCE} s" if slow else f"it said: {said}" if said else "it was killed"
        raise NightrecError(f"Prefect's server did not start ({why}); try again, or set PREFECT_API_URL.")

    def gone(self) -> bool:
        """Whether it has ended, and is not started again."""
        return self.listener.fileno() < 0 if self.lasting else self.process.poll() is not None

    def answers(self) -> bool:
        """Whether it answers by now."""
        encrypted = CERTIFICATE in self.environment
        address = f"{'https' if encrypted else 'http'}://{in_url(reached(self.host))}:{self.port}"
        try:
            with urllib.request.urlopen(f"{address}/api/health", timeout=2, context=anyone() if encrypted else None):
                return True
        except urllib.error.HTTPError as error:
            return error.code == 403  # by another name
        except OSError:
            return False

    def shorten_log(self) -> None:
        """Begin it anew when it has become long: nobody reads what was before, and it must not fill the disk."""
        if os.fstat(self.log.fileno()).st_size > LONG:
            os.ftruncate(self.log.fileno(), 0)

    def last(self) -> None:
        """Start it again when it is killed, from now on."""
        if not self.lasting:
            self.lasting = True
            threading.Thread(target=self._restart, daemon=True).start()

    def _restart(self) -> None:
        for _ in range(RESTARTS):
            if self.process.wait() >= 0 and not self.up:
                break  # it was not killed: it cannot start
            self.process = self.start()
        else:
            self.process.wait()
        self.listener.close()  # whoever waits for it learns that it is gone


def told(listener: socket.socket, addresses: Sequence[str], auth: str) -> dict[str, str]:
    """What a server finds in its environment: its socket, its names, and its secret."""
    return {
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_API_AUTH_STRING": auth,  # of its own services, which are clients, too
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(addresses),
        ADDRESSES: ",".join(addresses),
        LISTENER: str(listener.fileno()),
    }


@cache
def anyone() -> ssl.SSLContext:
    """Takes any certificate, for questions that carry no secret; made once, as it reads all that are trusted."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def embedded_server() -> Iterator[Callable[[], None]]:
    """Run a Prefect server during the block, unless one is configured; yields a function that waits until it answers.

    Prefect would start one itself. That one outlives a process that is killed, and dies before it on Ctrl-C (which
    reaches every process of the terminal), so that the flow waits for a server that is gone. It also does what anybody
    on this machine asks of it. Starting it here also lets the rest be imported meanwhile, Prefect to begin with.

    Flows send no heartbeats to it: nobody watches them there, and ending them takes a second.
    """
    if not may_be_configured():
        _own_server()
    with all_stays():  # a fifth of the time of this import
        from prefect.settings import (
            PREFECT_API_AUTH_STRING,
            PREFECT_API_URL,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            temporary_settings,
        )

    if PREFECT_API_URL.value():
        if _own_server.cache_info().currsize and not (begun := _own_server()[2]).lasting:
            begun.process.kill()  # it was begun in vain
            _own_server.cache_clear()
        yield lambda: None
        return
    address, auth, server = _own_server()
    if server.listener.fileno() < 0:  # it was killed too often
        _own_server.cache_clear()
        address, auth, server = _own_server()
    if not server.lasting and (database := prefect_places()[1]):
        write_off_the_dead(database)

    server.last()
    settings = {PREFECT_API_URL: f"{address}/api", PREFECT_API_AUTH_STRING: auth}
    with temporary_settings({**settings, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield server.wait
    # The server is needed until Python exits: Prefect sends its last log lines then.


def may_be_configured() -> bool:
    """Whether a server may be configured, as Prefect itself will say, which takes a second to import."""
    if os.environ.keys() & {"PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"}:
        return True
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    if (home / "profiles.toml").exists():
        return True
    files = ((Path(name), word) for name, word in SETTINGS_FILES.items())
    return any(file.is_file() and word in file.read_text(errors="replace").lower() for file, word in files)


@cache
def _own_server() -> tuple[str, str, Server]:
    """Start the server of this process, once: its address, its secret, and the server."""
    listener, auth = listen(LOOPBACK, 0), new_secret()
    address = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    settings = {
        "PREFECT_UI_ENABLED": "0",
        EPHEMERAL: "1",
        # Only who knows the secret is heard, and no browser knows it: there is nothing to protect by tokens.
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "false",
    }
    return address, auth, Server(listener, [address], auth, settings)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free.

    Raises:
        ConfigError: the port is taken, or no address of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except socket.gaierror:
        raise ConfigError(f"--host {host} is no address of this machine.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"Port {port} is taken: choose another with --port.") from None
        raise ConfigError(f"--host {host}, --port {port}: {error.strerror}.") from None


def last_error(log: str) -> str:
    """The last error in a log, in a line: that of a traceback, if there is one."""
    lines = [line.strip()[:200] for line in log.split("\n") if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return [*lines[-1:], *errors][-1] if lines else ""


def new_secret() -> str:
    return f"nightrec:{secrets.token_urlsafe(32)}"


def quiet_prefect(debug: bool) -> None:
    """Prefect without a server of its own making and without telemetry, its log kept to its UI."""
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # Prefect's own would answer anybody on this machine
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",  # runs that ended 90 days ago
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "nightrec",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # commands log outside of flows, too
        "GX_ANALYTICS_ENABLED": "false",
    }
    if not debug:
        defaults |= {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL", "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL"}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    logging.raiseExceptions = debug  # an interrupted night cannot send its last log lines, and that is no news
