"""Private servers for tests, each in a folder of its own and gone afterwards: PostgreSQL and Redis."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def postgres_folder() -> Path:
    """The folder of PostgreSQL's programs; skips the test where there are none."""
    found = [Path(path).parent for name in ("postgres",) if (path := shutil.which(name))]
    found += sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    return found[-1]


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a new PostgreSQL server, with a password in it. It will not run as root, so there as postgres."""
    programs = postgres_folder()
    account = None
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    user = account.pw_uid if account else None
    with tempfile.TemporaryDirectory(prefix="nightrec-postgres-") as name:
        folder, port = Path(name), free_port()
        (folder / "password").write_text("a secret")
        if account:
            for path in (folder, folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
        made = [programs / "initdb", "-D", folder / "data", "-U", "shop", "--auth=scram-sha-256", "--no-sync"]
        made += ["--pwfile", folder / "password", "-E", "UTF8", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True, user=user, cwd=folder)
        settings = ["-c", f"port={port}", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-c", "listen_addresses=127.0.0.1", *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        )
        try:
            listens(port, server)
            yield f"postgresql://shop:a%20secret@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def redis() -> Iterator[str]:
    """The address of a new Redis server, with a password in it."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis' server is not installed (apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="nightrec-redis-") as folder:
        port = free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            listens(port, server)
            yield f"redis://:secret@127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(30)


def listens(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Wait until a server takes connections."""
    for _ in range(300):
        assert server.poll() is None, "the server ended by itself"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(0.3)  # PostgreSQL listens a moment before it lets anybody in
            return
    raise AssertionError("the server did not start within 30 s")
