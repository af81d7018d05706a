"""MySQL and MariaDB, by PyMySQL: rows come unbuffered, in a transaction that only reads and sees one state."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases.cursors import batches, begin
from tasks.ingest.landing.databases.database import Database, Refused, Trouble
from tasks.ingest.reading.addresses import DATABASES

_PATIENCE = 10  # seconds
_BEGIN = (
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_OPTIONS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "unix_socket", "charset")
_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
_DECIMAL, _BIT, _TIME, _LONG = (0, 246), 16, 11, 8  # kinds of columns, as the protocol numbers them
_UNSIGNED = 32  # of a column's flags
_DIGITS = 38  # of the longest number that Arrow has
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
    **dict.fromkeys((1040, 1203, 2002, 2003, 2026), "unreachable"),
    **dict.fromkeys((1053, 1927, 2006, 2013, 2055), "lost"),
    **dict.fromkeys((1046, 1049), "database"),
    **dict.fromkeys((1205, 1317, 1969, 3024), "timeout"),
    1146: "table",
    1054: "column",
    1064: "syntax",
}
_WHY = {
    "refused": "connection refused",
    "Name or service": "its name is not known",
    "timed out": "no answer in time",
    "SSL": "no agreement on TLS",
}


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
    try:
        with _refusals():
            connection = pymysql.connect(**_arguments(address), cursorclass=SSCursor, connect_timeout=_PATIENCE)
    except Refused as error:
        raise Refused("unreachable", "no answer as MySQL gives it") if error.trouble == "lost" else error from None
    with closing(connection):
        yield _MySQL(connection)


def _arguments(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    given = dict(parse_qsl(parts.query))
    if odd := next((name for name in given if name not in _OPTIONS), None):
        raise ConfigError(f"mysql: the address has the option '{odd[:40]}'; known are {', '.join(_OPTIONS)}.")
    if gone := next((name for name in _FILES if name in given and not Path(given[name]).is_file()), None):
        raise ConfigError(f"mysql: there is no file '{given[gone][:60]}' for {gone}; check the address.")
    if "charset" in given:
        _check_charset(given["charset"])
    return {
        "host": parts.hostname or "localhost",
        "port": parts.port or 3306,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else os.environ.get(DATABASES["mysql"], ""),
        "database": unquote(parts.path.lstrip("/")) or None,
        **{name: value in ("1", "true") if "verify" in name else value for name, value in given.items()},
    }


def _check_charset(name: str) -> None:
    from pymysql.charset import charset_by_name

    if charset_by_name(name) is None:
        raise ConfigError(f"mysql: the charset '{name[:40]}' is not known; leave it out, or write utf8mb4.")


class _MySQL(Database):
    marks = ("`", "`")
    catalog = "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY 1"

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.exact: set[str] = set()
        begin(connection, _BEGIN, _refusals)

    def schema(self, relation: str) -> pa.Schema:
        with _refusals(), closing(self.connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {relation} LIMIT 0")
            columns = _columns(cursor)
        return pa.schema(
            [pa.field(column[0], kind, metadata={"kind": str(column[1])}) for column, kind in columns.items()]
        )

    def value(self, field: pa.Field, *, exact: bool = False) -> str:
        name, kind = self.quoted(field.name), int(field.metadata[b"kind"])
        if exact and not pa.types.is_integer(field.type):
            self.exact.add(field.name)
        if kind in _DECIMAL and field.name not in self.exact:
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
        found = _columns(cursor, self.exact)
        schema = pa.schema([(column[0], kind) for column, kind in found.items()])
        return schema, self._read(cursor, schema)

    def _read(self, cursor: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with closing(cursor):
            try:
                yield from batches(cursor, schema, self._array, _refusals)
            except BaseException:
                cursor._result.unbuffered_active = False  # or closing it would read what is left of the table
                raise

    def _array(self, column: Sequence[Any], field: pa.Field) -> pa.Array:
        """A column's values; dates that are none, such as 0000-00-00, are missing."""
        values: list[Any] = list(column)
        if pa.types.is_string(field.type):
            values = [_text(value, field.name if field.name in self.exact else None) for value in values]
        elif pa.types.is_temporal(field.type):
            values = [value if isinstance(value, date) else None for value in values]
        try:
            return pa.array(values, field.type)
        except (OverflowError, pa.ArrowInvalid):
            longest = f"{_DIGITS} digits" if pa.types.is_decimal(field.type) else "64 bits"
            raise Refused("other", f"{field.name[:40]} is beyond {longest}; cast it to CHAR in a query") from None


def _columns(cursor: Any, exact: Collection[str] = ()) -> dict[Sequence[Any], pa.DataType]:
    """The columns of a cursor as it describes them, and their types; whatever has none of its own is text."""
    flags = [field.flags for field in cursor._result.fields]
    return {
        column: _type(column, unsigned=bool(flag & _UNSIGNED), exact=column[0] in exact)
        for column, flag in zip(cursor.description, flags, strict=True)
    }


def _type(column: Sequence[Any], *, unsigned: bool, exact: bool) -> pa.DataType:
    kind, digits, scale = column[1], column[4], column[5]
    if kind in _DECIMAL:
        if scale == 0 and digits - (not unsigned) <= 18:  # a sign counts as one
            return pa.int64()
        return pa.decimal128(_DIGITS, scale) if exact else pa.float64()
    if kind == _LONG and unsigned:
        return pa.uint64()
    return _KINDS.get(kind, pa.string())


def _text(value: Any, of_ids: str | None) -> str | None:
    """A value as text. `of_ids`: the name of the column, if it holds ids: no two of them may fall together."""
    if not isinstance(value, bytes):
        return None if value is None else str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        if of_ids is not None:
            raise Refused("other", f"{of_ids[:40]} is binary; give HEX({of_ids[:40]}) in a query") from None
        return value.decode("utf-8", "backslashreplace")


@contextmanager
def _refusals() -> Iterator[None]:
    """What the server refuses, by its number: its own words may hold values of rows."""
    from pymysql.err import MySQLError

    try:
        yield
    except MySQLError as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if number == 1060:
            raise Refused("syntax", "it gives two columns of one name") from None
        trouble = _TROUBLE.get(number, "other")
        why = next((what for words, what in _WHY.items() if words in str(error)), "")
        raise Refused(trouble, why if trouble == "unreachable" else f"error {number}") from None
    except OSError:
        raise Refused("lost") from None
