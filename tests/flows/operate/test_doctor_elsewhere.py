"""The doctor names what is wrong outside the store: packages, the server and its pools, and where the tables are."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.operate.doctor import environment, server, sources
from flows.operate.doctor.findings import Site
from flows.operate.pages import examined
from flows.settings.site import NightConfig
from flows.ui.site import Examination
from flows.ui.site import Site as UiSite
from tasks.store.paths import Store


def test_packages_of_versions_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(environment.versions(Site(Store(Path("store"))))) == []
    monkeypatch.setattr(environment, "version", lambda name: "1.0" if name == "prefect" else "99")
    found = [finding.where for finding in environment.versions(Site(Store(Path("store"))))]
    assert "prefect" in found and "duckdb" not in found


class _Client:
    """A server with one work pool, of which a run may choose its command."""

    def read_work_pool(self, name: str) -> Any:
        from prefect.client.schemas.objects import WorkPool
        from prefect.exceptions import ObjectNotFound

        if name != "cpu":
            raise ObjectNotFound(Exception(name))
        template = {"variables": {"properties": {"command": {}}}, "job_configuration": {"command": "{{ command }}"}}
        return WorkPool.model_construct(name=name, base_job_template=template, is_paused=False)

    def read_workers_for_work_pool(self, name: str) -> list[Any]:
        return []

    def read_deployment_by_name(self, name: str) -> None:
        return None


def test_pools_that_are_missing_open_or_without_a_worker_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import flows.execution.flow_runs as runs

    monkeypatch.setattr(runs, "server_time", lambda client: None)
    monkeypatch.setattr(runs, "alive_workers", lambda client, pool: 0)
    site = Site(Store(Path("store")), file=Path("nightrec.toml"))
    found = [(finding.where, finding.what, finding.fix is not None) for finding in server._pools(site, _Client())]
    assert found == [
        ("the work pool cpu", "a run may choose its command, and so may whoever can start one", True),
        ("the work pool cpu", "no worker of it is alive", False),
        ("the work pool signals", "it is not there", True),
    ]


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server, "prefect_places", lambda: (tmp_path, tmp_path / "prefect.db", "http://127.0.0.1:9/api"))
    (finding,) = server.look(Site(Store(tmp_path)))
    assert finding.what == "it does not answer (ConnectError)"
    (tmp_path / "prefect.db").write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    (finding,) = server.database(Site(Store(tmp_path)))
    assert finding.what.startswith("it is damaged (") and finding.fix is None


def test_tables_elsewhere_are_asked_for_and_one_that_hangs_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pymysql", reason="PyMySQL is not installed")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.execute("CREATE TABLE log (user_id, item_id, timestamp)")
    monkeypatch.setenv("SHOP_PASSWORD", "geheim")
    place = f"sqlite:///{tmp_path}/shop.db"
    tables = {
        "interactions": {"path": place, "table": "log"},
        "items": {"path": place, "table": "log", "columns": {"item_id": "sku"}},
        "users": {"path": "mysql://reader:${SHOP_PASSWORD}@127.0.0.1:1/shop", "table": "users"},
        "tags": {"path": place, "table": "tags"},
    }
    site = Site(Store(tmp_path), NightConfig.model_validate({"inputs": tables}))
    found = {finding.where: finding.what for finding in sources.look(site)}
    assert list(found) == ["items", "users", "tags"]
    assert found["items"].startswith(f"log in {place} has no column 'sku' (for item_id)")
    assert found["users"].startswith("mysql://127.0.0.1:1/shop cannot be reached (connection refused)")
    assert found["tags"].startswith(f"{place} has no table tags; there are log")
    assert "geheim" not in str(found)
    ended = threading.Event()
    monkeypatch.setattr(sources, "PATIENCE", 0.01)
    monkeypatch.setattr(sources, "reach", lambda *_: ended.wait())
    assert all("does not answer" in finding.what for finding in sources.look(site))
    ended.set()
    well = examined(UiSite(Store(tmp_path), None, Examination)).well
    assert "settings" in well
    assert "sources" not in well  # pages do not ask
