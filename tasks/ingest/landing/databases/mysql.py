"""MySQL and MariaDB, by PyMySQL: rows come unbuffered, in a transaction that only reads and sees one state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases.database import Database, Refused, Trouble
from tasks.ingest.reading.addresses import DATABASES

_ROWS, _PATIENCE = 1 << 14, 10  # rows of a batch; seconds
_BEGIN = (
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_OPTIONS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "unix_socket", "charset")
_DECIMAL, _BIT, _TIME = (0, 246), 16, 11  # kinds of columns, as the protocol numbers them
_KINDS = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13, _BIT), pa.int64()),
    **dict.fromkeys((4, 5), pa.float64()),
    7: pa.timestamp("us", "UTC"),
    12: pa.timestamp("us"),
    10: pa.date32(),
}
_TROUBLE: dict[int, Trouble] = {
    **dict.fromkeys((1045, 1698, 2059), "login"),
    **dict.fromkeys((1044, 1142, 1143, 1227), "permission"),
    **dict.fromkeys((1040, 1053, 1203, 2002, 2003, 2006, 2013, 2055), "unreachable"),
    **dict.fromkeys((1205, 1317, 1969, 3024), "timeout"),
    1049: "database",
    1146: "table",
    1054: "column",
    1064: "syntax",
}
_WHY = {"refused": "connection refused", "Name or service": "its name is not known", "timed out": "no answer in time"}


@contextmanager
def opened(address: str) -> Iterator[Database]:
    """A transaction with the database.

    Raises:
        ConfigError: the driver is not installed, or the address has an option that is not known.
        Refused: nobody answers, or the user is not let in.
    """
    try:
        import pymysql
        from pymysql.cursors import SSCursor
    except ImportError:
        raise ConfigError("MySQL as an input needs a package: pip install 'nightrec[mysql]'.") from None
    with _refusals():
        connection = pymysql.connect(**_arguments(address), cursorclass=SSCursor, connect_timeout=_PATIENCE)
    with closing(connection):
        yield _MySQL(connection)


def _arguments(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    given = dict(parse_qsl(parts.query))
    if odd := next((name for name in given if name not in _OPTIONS), None):
        raise ConfigError(f"mysql: the address has the option '{odd[:40]}'; known are {', '.join(_OPTIONS)}.")
    return {
        "host": parts.hostname or "localhost",
        "port": parts.port or 3306,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else os.environ.get(DATABASES["mysql"], ""),
        "database": unquote(parts.path.lstrip("/")) or None,
        **{name: value in ("1", "true") if "verify" in name else value for name, value in given.items()},
    }


class _MySQL(Database):
    marks = ("`", "`")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        with _refusals(), closing(connection.cursor()) as cursor:
            for statement in _BEGIN:
                cursor.execute(statement)

    def schema(self, relation: str) -> pa.Schema:
        with _refusals(), closing(self.connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {relation} LIMIT 0")
            described = cursor.description
        return pa.schema(
            [pa.field(column[0], _type(column), metadata={"kind": str(column[1])}) for column in described]
        )

    def value(self, field: pa.Field) -> str:
        name, kind = self.quoted(field.name), int(field.metadata[b"kind"])
        if kind in _DECIMAL:
            whole = pa.types.is_integer(field.type)
            return f"CAST({name} AS SIGNED) AS {name}" if whole else f"({name} + 0E0) AS {name}"
        if kind == _BIT:
            return f"({name} + 0) AS {name}"
        return f"CAST({name} AS CHAR) AS {name}" if kind == _TIME else name

    def instant(self, when: datetime, kind: pa.DataType) -> str:
        return f"TIMESTAMP '{when:%Y-%m-%d %H:%M:%S.%f}'"

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        cursor = self.connection.cursor()
        with _refusals():
            cursor.execute(sql)
        schema = pa.schema([(column[0], _type(column)) for column in cursor.description])
        return schema, _read(cursor, schema)


def _type(column: Sequence[Any]) -> pa.DataType:
    """The type of a column as a cursor describes it; whatever has none of its own is text."""
    kind, digits, scale = column[1], column[4], column[5]
    if kind in _DECIMAL:
        return pa.int64() if scale == 0 and digits <= 19 else pa.float64()
    return _KINDS.get(kind, pa.string())


def _read(cursor: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with closing(cursor):
        while True:
            with _refusals():
                rows = cursor.fetchmany(_ROWS)
            if not rows:
                return
            columns = zip(*rows, strict=True)
            arrays = [_array(column, field) for column, field in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(column: Sequence[Any], field: pa.Field) -> pa.Array:
    """A column's values; dates that are none, such as 0000-00-00, are missing."""
    values: list[Any] = list(column)
    if pa.types.is_string(field.type):
        values = [_text(value) for value in values]
    elif pa.types.is_temporal(field.type):
        values = [value if isinstance(value, date) else None for value in values]
    try:
        return pa.array(values, field.type)
    except (OverflowError, pa.ArrowInvalid):
        raise Refused("other", f"{field.name[:40]} is beyond 64 bits; cast it to CHAR in a query") from None


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return None if value is None else str(value)


@contextmanager
def _refusals() -> Iterator[None]:
    """What the server refuses, by its number: its own words may hold values of rows."""
    from pymysql.err import MySQLError

    try:
        yield
    except MySQLError as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        trouble = _TROUBLE.get(number, "other")
        why = next((what for words, what in _WHY.items() if words in str(error)), "")
        raise Refused(trouble, why if trouble == "unreachable" else f"error {number}") from None
    except OSError:
        raise Refused("unreachable", "the connection was lost") from None
