"""A DuckDB file, opened for reading alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from tasks.ingest.landing.databases.database import Database, Refused, Trouble
from tasks.ingest.landing.databases.places import local_file

_BATCH = 1 << 16
_TROUBLE: dict[type[duckdb.Error], Trouble] = {
    duckdb.CatalogException: "table",
    duckdb.BinderException: "column",
    duckdb.ParserException: "syntax",
}


@contextmanager
def opened(address: str) -> Iterator[Database]:
    """A transaction with the database in a file.

    Raises:
        ConfigError: there is no such file.
        Refused: it is no database, or somebody writes to it.
    """
    path = local_file(address)
    with _refusals():
        connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"})
    with connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("BEGIN TRANSACTION READ ONLY")
        yield _DuckDB(connection, path)


class _DuckDB(Database):
    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.connection, self.path = connection, path

    def schema(self, relation: str) -> pa.Schema:
        return self.stream(f"SELECT * FROM {relation} LIMIT 0")[0]

    def value(self, field: pa.Field, *, exact: bool = False) -> str:
        name = self.quoted(field.name)
        odd = isinstance(field.type, pa.BaseExtensionType) or pa.types.is_interval(field.type)
        return f"CAST({name} AS VARCHAR) AS {name}" if odd else name

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        with _refusals():
            reader = self.connection.sql(sql).to_arrow_reader(_BATCH)
        return reader.schema, _read(reader)


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with _refusals():
        yield from reader


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        locked = "lock" in str(error).lower()
        raise Refused("unreachable" if locked else "other", "another program writes to it" if locked else "") from None
    except duckdb.Error as error:
        for kind, trouble in _TROUBLE.items():
            if isinstance(error, kind):
                raise Refused(trouble) from None
        raise Refused("other", type(error).__name__) from None
