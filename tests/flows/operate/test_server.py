"""The server of nights that have none, as it really runs: who gets an answer, and what becomes of it when killed."""

import base64
import os
import stat
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.operate import server
from tests.waiting import PATIENCE, until

with_server = pytest.mark.usefixtures("prefect_server")


def asked(auth: str | None, **headers: str) -> int:
    address, _, _ = server._own_server()
    if auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(auth.encode()).decode()
    answer = httpx.post(f"{address}/api/flow_runs/filter", json={"limit": 1}, headers=headers, timeout=PATIENCE)
    return answer.status_code


def secret() -> str:
    auth = PREFECT_API_AUTH_STRING.value()
    assert auth is not None and len(auth) > 40
    return auth


@with_server
def test_it_answers_this_process_alone() -> None:
    assert asked(secret()) == 200
    assert asked(None) == 401
    assert asked("nightrec:guessed") == 401
    assert asked(secret(), Origin="https://attacker.example") == 403
    assert asked(secret(), Host="attacker.example") == 403


@with_server
def test_it_starts_again_when_it_is_killed() -> None:
    _, _, own = server._own_server()
    killed = own.process
    killed.kill()
    until("it is started again", lambda: own.process is not killed)
    assert asked(secret()) == 200


@with_server
def test_nobody_else_sees_its_secret_or_its_database() -> None:
    _, _, own = server._own_server()
    assert secret().partition(":")[2] not in " ".join(psutil.Process(own.process.pid).cmdline())
    home = Path(os.environ["PREFECT_HOME"])
    assert {stat.S_IMODE(file.stat().st_mode) for file in home.glob("prefect.db*")} == {0o600}


def test_a_log_is_told_by_its_last_error() -> None:
    trace = "Traceback:\n  File x\nsqlalchemy.exc.OperationalError: unable to open database file\n(More at …)\n\n"
    assert server.last_error(trace) == "sqlalchemy.exc.OperationalError: unable to open database file"
    assert server.last_error("INFO\nKilled\n") == "Killed"
    assert server.last_error("") == ""


@pytest.mark.parametrize(
    ("file", "text", "may_be"),
    [
        (None, "", False),
        ("home/profiles.toml", "", True),
        ("prefect.toml", "[api]", True),
        ("pyproject.toml", "[tool.prefect.api]", True),
        ("pyproject.toml", 'dependencies = ["prefect"]', False),
        (".env", "PREFECT_API_URL=http://server/api", True),
        (".env", "TOKEN=1", False),
    ],
)
def test_where_a_server_may_be_configured(
    file: str | None, text: str, may_be: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    if file:
        (tmp_path / file).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", "home")
    assert server.may_be_configured() is may_be
    monkeypatch.setenv("PREFECT_API_URL", "http://server/api")
    assert server.may_be_configured()


def test_a_server_that_was_begun_in_vain_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    begun = SimpleNamespace(lasting=False, process=SimpleNamespace(kill=lambda: ended.append("begun")))
    monkeypatch.setattr(server, "_own_server", cache(lambda: ("", "", begun)))
    monkeypatch.setattr(server, "may_be_configured", lambda: False)
    with temporary_settings({PREFECT_API_URL: "http://server/api"}), server.embedded_server() as ready:
        ready()
    assert ended == ["begun"]
