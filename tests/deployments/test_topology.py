"""The team's stack, with processes in place of containers: PostgreSQL, a server with a password, two pools."""

import base64
import json
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.server import free_port
from tests.deployments.live import Site

CONFIG = """\
site = "shop"

[demo]
users = 150
items = 60
interactions = 2000

[workers]
poll_seconds = 0.5

[schedule]
active = false

[models.popularity]
required = true

[models.item_knn]
pool = "gpu"
"""
USER, PASSWORD = "nightrec", secrets.token_hex(12)


def binaries() -> Path | None:
    """The newest PostgreSQL of this machine, as Debian and as others install it."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    return max(found, key=lambda path: float(path.parent.name)) if found else Path(on_path).parent if on_path else None


def unprivileged() -> str | None:
    """Whom PostgreSQL runs as: it refuses root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL cluster of its own, on a free port of the loopback interface; yields its address for Prefect."""
    programs = binaries()
    assert programs is not None
    folder, port, user = Path(tempfile.mkdtemp(prefix="nightrec-pg-")), free_port(), unprivileged()
    (folder / "password").write_text(PASSWORD)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)

    def program(name: str, *options: str) -> None:
        subprocess.run(
            [str(programs / name), "--pgdata", str(folder / "data"), *options],
            user=user,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )

    try:
        program("initdb", "--no-sync", "--username", USER, "--auth", "scram-sha-256", "--pwfile", f"{folder}/password")
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        program("pg_ctl", "--wait", "--log", f"{folder}/log", "--options", settings, "start")
        try:
            yield f"postgresql+asyncpg://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            program("pg_ctl", "--wait", "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if binaries() is None:
        pytest.skip("no PostgreSQL is installed here (Debian: apt install postgresql)")
    site = Site(tmp_path_factory.mktemp("topology"))
    (site.folder / "nightrec.toml").write_text(CONFIG)
    auth = f"nightrec:{secrets.token_hex(12)}"
    with postgres() as address:
        try:
            site.environment = {
                "PREFECT_API_DATABASE_CONNECTION_URL": address,
                "PREFECT_SERVER_API_AUTH_STRING": auth,
            }
            site.start_server()
            site.environment = {"PREFECT_API_AUTH_STRING": auth}  # all that workers are told
            site.deploy()
            site.start_worker("cpu")
            site.start_worker("gpu", "--gpu", "")  # computes on the CPU, wherever this test runs
            yield site
        finally:
            site.stop_all()


def status(site: Site, auth: str | None) -> int:
    """What the API answers to a request with these credentials."""
    body = b"{}"
    request = urllib.request.Request(f"{site.url}/api/flows/filter", data=body, method="POST")
    request.add_header("Content-Type", "application/json")
    if auth is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(auth.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_server_asks_for_its_password(site: Site) -> None:
    assert status(site, None) == 401
    assert status(site, "nightrec:guessed") == 401
    assert status(site, site.environment["PREFECT_API_AUTH_STRING"]) == 200


def test_a_night_on_two_pools_is_published(site: Site) -> None:
    run = site.ended(site.run("nightly/shop", options={"run_date": "2026-03-01"}), patience=300)
    assert run.state is not None and run.state.is_completed(), run.state and run.state.message
    workers = {name: child.labels["prefect.worker.name"] for name, child in site.children(run).items()}
    assert workers["train-item_knn-2026-03-01"] == "gpu"
    assert workers["train-popularity-2026-03-01"] == "cpu"
    pointer = json.loads((site.store / "exports/latest.json").read_text())
    assert pointer["run_date"] == "2026-03-01"


def test_all_of_it_is_in_postgresql_and_no_password_in_a_log(site: Site) -> None:
    assert not list(site.folder.rglob("prefect.db"))
    logs = [site.log(name) for name in site.processes]
    for secret in (PASSWORD, site.environment["PREFECT_API_AUTH_STRING"].partition(":")[2]):
        assert not any(secret in log for log in logs)


def test_deploying_again_changes_nothing(site: Site) -> None:
    def things() -> set[object]:
        with site.client() as client:
            deployments = {(one.name, one.id) for one in client.read_deployments()}
            return deployments | {(one.name, one.id) for one in client.read_automations()}

    before = things()
    assert len(before) > 8
    site.deploy()
    assert things() == before
