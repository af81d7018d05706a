"""One DuckDB for the many small tables that a process of the tests reads: starting one costs more than reading them."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import tasks.store.duckdb

_started: list[duckdb.DuckDBPyConnection] = []
_real = tasks.store.duckdb._database


def _database(spill: str, memory_limit: str | None, threads: int | None) -> duckdb.DuckDBPyConnection:
    """A connection to the database of this process, with temporary tables and a time zone of its own.

    A limit of memory would stay: who asks for one gets a database. Nothing here is large enough to spill.
    """
    if memory_limit:
        return _real(spill, memory_limit, threads)
    if not _started:
        _started.append(duckdb.connect(config={"temp_directory": ""}))
    connection = _started[0].cursor()
    connection.execute(f"SET threads = {threads}" if threads else "RESET threads")
    return connection


@pytest.fixture(autouse=True, scope="module")
def one_database() -> Iterator[None]:
    """Connections of `tasks.store.duckdb.connect` share a database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.store.duckdb, "_database", _database)
        yield
