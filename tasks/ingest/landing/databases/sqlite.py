"""A SQLite file. Its columns have no types, only their values have: a column gets the type that all its values fit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa

from tasks.ingest.landing.databases.cursors import batches
from tasks.ingest.landing.databases.database import Database, Refused
from tasks.ingest.landing.databases.places import local_file

_TYPES = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "blob": pa.binary()}


@contextmanager
def opened(address: str) -> Iterator[Database]:
    """A transaction with the database in a file, which is opened for reading alone.

    Raises:
        ConfigError: there is no such file.
        Refused: it is no database.
    """
    path = local_file(address).absolute()
    with _refusals():
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
    with closing(connection):
        with _refusals():
            connection.execute("BEGIN")
        yield _SQLite(connection)


class _SQLite(Database):
    catalog = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.types: dict[str, pa.DataType] = {}

    def schema(self, relation: str) -> pa.Schema:
        with _refusals():
            names = [str(column[0]) for column in self.connection.execute(f"SELECT * FROM {relation}").description]
            kinds = ", ".join(f"max(typeof({self.quoted(n)}) = '{kind}')" for n in names for kind in _TYPES)
            found = self.connection.execute(f"SELECT {kinds} FROM {relation}").fetchone()
        fields = [
            pa.field(name, _fitting(dict(zip(_TYPES, found[at : at + len(_TYPES)], strict=True))))
            for name, at in zip(names, range(0, len(found), len(_TYPES)), strict=True)
        ]
        self.types = {field.name: field.type for field in fields}
        return pa.schema(fields)

    def value(self, field: pa.Field, *, exact: bool = False) -> str:
        name = self.quoted(field.name)
        return f"CAST({name} AS TEXT) AS {name}" if pa.types.is_string(field.type) else name

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        with _refusals():
            cursor = self.connection.execute(sql)
        schema = pa.schema([(column[0], self.types.get(column[0], pa.string())) for column in cursor.description])
        return schema, batches(cursor, schema, _array, _refusals)


def _fitting(there: dict[str, Any]) -> pa.DataType:
    """The type of a column by those of its values; text where they have several, other than numbers."""
    kinds = [kind for kind, found in there.items() if found]
    if set(kinds) == {"integer", "real"}:
        return pa.float64()
    return _TYPES[kinds[0]] if len(kinds) == 1 else pa.string()


def _array(column: Sequence[Any], field: pa.Field) -> pa.Array:
    return pa.array(column, field.type)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        said = str(error)
        if "no such table" in said:
            raise Refused("table") from None
        if "no such column" in said:
            raise Refused("column") from None
        if "locked" in said:
            raise Refused("unreachable", "another program writes to it") from None
        raise Refused("syntax" if "syntax" in said else "other") from None
    except sqlite3.Error as error:
        raise Refused("other", str(error)[:60]) from None
