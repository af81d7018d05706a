"""One DuckDB for the many small tables that a process of the tests reads: starting one costs more than reading them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

import tasks.store.duckdb

_started: dict[int, tuple[duckdb.DuckDBPyConnection, dict[str, str]]] = {}
"""By process, as a fork has none of the threads of its parent's: the database, and settings that are not its own."""


def _database(spill: str, memory_limit: str | None, threads: int | None) -> duckdb.DuckDBPyConnection:
    """A connection to the database of this process, with temporary tables and a time zone of its own.

    Nothing here is large enough to spill.
    """
    if os.getpid() not in _started:
        _started[os.getpid()] = duckdb.connect(config={"temp_directory": ""}), {}
    database, now = _started[os.getpid()]
    connection = database.cursor()
    for setting, wanted in {"threads": threads, "memory_limit": memory_limit}.items():
        value = f"'{wanted}'" if wanted else ""
        if value != now.get(setting, ""):  # it begins and ends threads
            connection.execute(f"SET {setting} = {value}" if value else f"RESET {setting}")
            now[setting] = value
    return connection


@pytest.fixture(autouse=True, scope="module")
def one_database() -> Iterator[None]:
    """Connections of `tasks.store.duckdb.connect` share a database."""
    with sharing():
        yield


@contextmanager
def sharing() -> Iterator[None]:
    """The same for a block of code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.store.duckdb, "_database", _database)
        yield
