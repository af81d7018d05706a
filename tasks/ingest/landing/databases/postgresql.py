"""PostgreSQL, by its ADBC driver: rows come by COPY in binary, in a transaction that only reads and sees one state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases.cursors import begin, read
from tasks.ingest.landing.databases.database import Database, Refused, Trouble

_BEGIN = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # The same rows in the same order, if nothing changes; databases that speak as PostgreSQL does may not know it.
    "SELECT set_config(name, 'off', true) FROM pg_settings WHERE name = 'synchronize_seqscans'",
)
_WRITES = "25006"
_TROUBLE: dict[str, Trouble] = {
    "42P01": "table",
    "3F000": "table",
    "42703": "column",
    "42501": "permission",
    "3D000": "database",
    "0A000": "syntax",
    _WRITES: "syntax",
    "57014": "timeout",
    "57P01": "lost",
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
    ("root certificate file", "address", "no certificate to verify the server by; give sslrootcert"),
    ("does not support SSL", "address", "the server has no TLS, and sslmode asks for it"),
    ("SSL", "unreachable", "no agreement on TLS"),
    ("invalid URI query parameter", "address", "it has an option that is not known"),
    ("invalid integer value", "address", "an option is no number"),
    ("invalid sslmode", "address", "sslmode"),
)
"""What libpq says where it cannot connect: words of it, and what they mean."""
_SCALE = 0xFFFF  # the bits of a type modifier that say how many digits follow the point
_DIGITS = 38  # of the longest number that Arrow has
_LONG = pa.decimal128(_DIGITS)
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
        self.exact: set[str] = set()
        begin(connection, _BEGIN, _refusals)

    def schema(self, relation: str) -> pa.Schema:
        with _refusals(), closing(self.connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {relation} LIMIT 0")
            return cursor.fetch_record_batch().schema

    def value(self, field: pa.Field, *, exact: bool = False) -> str:
        name, kind = self.quoted(field.name), field.type
        told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        called = told.get("POSTGRESQL:type") or told.get("ADBC:postgresql:typname")
        if called == "numeric":
            modifier = int(told.get("POSTGRESQL:typmod", -1)) - 4
            if modifier >= 0 and not modifier & _SCALE and modifier >> 16 <= 18:
                return f"CAST({name} AS bigint) AS {name}"
            if not exact:
                return f"CAST({name} AS double precision) AS {name}"
            self.exact.add(field.name)
            whole = f"CASE WHEN {name} = trunc({name}) THEN trunc({name}) ELSE {name} END"
            return f"CAST({whole} AS text) AS {name}"
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):  # there are infinite ones, which Arrow has not
            return f"CASE WHEN isfinite({name}) THEN {name} END AS {name}"
        # The text of a char(n) has no blanks at its end.
        plain = not isinstance(kind, pa.BaseExtensionType) and not pa.types.is_interval(kind) and called != "bpchar"
        return name if plain else f"CAST({name} AS text) AS {name}"

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        cursor = self.connection.cursor()
        with _refusals():
            cursor.execute(sql)
            reader = cursor.fetch_record_batch()
        kinds = [_LONG if field.name in self.exact else field.type for field in reader.schema]
        schema = pa.schema([pa.field(name, kind) for name, kind in zip(reader.schema.names, kinds, strict=True)])
        return schema, (_with_numbers(batch, schema) for batch in read(cursor, reader, _refusals))


def _with_numbers(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The rows with whole numbers where they came as text, for there they can be longer than any type of Arrow."""
    arrays = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            arrays.append(column.cast(_LONG) if field.type == _LONG else column)
        except pa.ArrowInvalid:
            what = f"{field.name[:40]} has a fraction or more than {_DIGITS} digits; cast it to text in a query"
            raise Refused("other", what) from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


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
        raise Refused(trouble, f"it writes, SQLSTATE {state}" if state == _WRITES else f"SQLSTATE {state}") from None


def _cut_off(said: str) -> Refused:
    """Why rows that were on their way came to an end: the driver does not give the state then."""
    if "canceling statement" in said:
        return Refused("timeout")
    if "read-only transaction" in said:
        return Refused("syntax", "it writes")
    lost = "ERROR:" not in said or "terminating" in said
    return Refused("lost") if lost else Refused("other", "a value of a row")


def _why_not(said: str) -> Refused:
    reason = said.rpartition("FATAL:")[2]
    return next((Refused(kind, what) for words, kind, what in _SAID if words in reason), Refused("unreachable"))
