"""PostgreSQL, by its ADBC driver: rows come by COPY in binary, in a transaction that only reads and sees one state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases.database import Database, Refused, Trouble

_BEGIN = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL synchronize_seqscans = off",  # the same rows in the same order, if nothing changes
)
_TROUBLE: dict[str, Trouble] = {
    "42P01": "table",
    "3F000": "table",
    "42703": "column",
    "42501": "permission",
    "3D000": "database",
    "57014": "timeout",
    "57P01": "unreachable",
    "57P03": "unreachable",
}
_SAID: tuple[tuple[str, Trouble, str], ...] = (
    ("authentication failed", "login", ""),
    ("no password supplied", "login", "it wants a password, and none is set"),
    ("no pg_hba.conf entry", "login", "its pg_hba.conf has no entry for this machine and user"),
    ("role ", "login", ""),
    ("database ", "database", ""),
    ("onnection refused", "unreachable", "connection refused"),
    ("translate host name", "unreachable", "its name is not known"),
    ("timeout expired", "unreachable", "no answer in time"),
    ("SSL", "unreachable", "no agreement on TLS"),
)
"""What libpq says where it cannot connect: words of it, and what they mean."""
_SCALE = 0xFFFF  # the bits of a type modifier that say how many digits follow the point
_PATIENCE = 10  # seconds


@contextmanager
def opened(address: str) -> Iterator[Database]:
    """A transaction with the database.

    Raises:
        ConfigError: the driver is not installed.
        Refused: nobody answers, or the user is not let in.
    """
    try:
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise ConfigError("PostgreSQL as an input needs a package: pip install 'nightrec[postgres]'.") from None
    limit = "" if "connect_timeout=" in address else f"{'&' if '?' in address else '?'}connect_timeout={_PATIENCE}"
    try:
        connection = dbapi.connect(address + limit)
    except Error as error:
        raise _why_not(str(error)) from None
    with closing(connection):
        yield _PostgreSQL(connection)


class _PostgreSQL(Database):
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        with _refusals(), closing(connection.cursor()) as cursor:
            for statement in _BEGIN:
                cursor.execute(statement)

    def schema(self, relation: str) -> pa.Schema:
        with _refusals(), closing(self.connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {relation} LIMIT 0")
            return cursor.fetch_record_batch().schema

    def value(self, field: pa.Field) -> str:
        name = self.quoted(field.name)
        told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        kind = told.get("POSTGRESQL:type") or told.get("ADBC:postgresql:typname")
        if kind == "numeric":
            modifier = int(told.get("POSTGRESQL:typmod", -1)) - 4
            whole = modifier >= 0 and not modifier & _SCALE and modifier >> 16 <= 18
            return f"CAST({name} AS {'bigint' if whole else 'double precision'}) AS {name}"
        return f"CAST({name} AS text) AS {name}" if isinstance(field.type, pa.BaseExtensionType) else name

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        cursor = self.connection.cursor()
        with _refusals():
            cursor.execute(sql)
            reader = cursor.fetch_record_batch()
        return reader.schema, _read(cursor, reader)


def _read(cursor: Any, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with closing(cursor), _refusals():
        yield from reader


@contextmanager
def _refusals() -> Iterator[None]:
    """What the server refuses, by its SQLSTATE: its own words may hold values of rows."""
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, pa.ArrowException, OSError) as error:
        found = re.search(r"SQLSTATE: (\w{5})", str(error))
        state = getattr(error, "sqlstate", None) or (found[1] if found else "")
        if not state:
            raise _cut_off(str(error)) from None
        trouble = _TROUBLE.get(state) or ("syntax" if state.startswith("42") else "other")
        raise Refused(trouble, f"SQLSTATE {state}") from None


def _cut_off(said: str) -> Refused:
    """Why rows that were on their way came to an end: the driver does not give the state then."""
    if "canceling statement" in said:
        return Refused("timeout")
    lost = "ERROR:" not in said or "terminating" in said
    return Refused("unreachable", "the connection was lost") if lost else Refused("other", "a value of a row")


def _why_not(said: str) -> Refused:
    reason = said.rpartition("FATAL:")[2]
    return next((Refused(kind, what) for words, kind, what in _SAID if words in reason), Refused("unreachable"))
