"""A night that sinks are loaded after."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.store.paths import Night, Store
from tests.tasks import servers
from tests.tasks.loading import FIRST
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    publish(prepare_night(root, FIRST), k=2)
    prepare_night(root)
    return root


@pytest.fixture
def night(tmp_path: Path, prepared: Path) -> Night:
    """A night that is to be published after `FIRST`."""
    return Store(shutil.copytree(prepared, tmp_path / "store", symlinks=True)).night(RUN_DATE)


@pytest.fixture(scope="package")
def dsn() -> Iterator[str]:
    """The address of a PostgreSQL server, one with pgvector where there is such a one."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with servers.postgres(programs=next(iter(servers.with_pgvector()), None)) as address:
        yield address


@pytest.fixture
def postgres(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A connection, to a database without tables of ours; the sink finds its address in SHOP_DSN."""
    import psycopg

    monkeypatch.setenv("SHOP_DSN", dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
