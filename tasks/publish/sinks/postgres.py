"""PostgreSQL: rows are copied to a staging table, read back, and replace the old ones in one transaction.

Each table has one partition, the current night's: the swap detaches one and attaches another, so the table keeps its
name, its grants and the views on it, and its readers see the old lists or the new ones, of all tables.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv

from recmodels.errors import ConfigError, NightrecError
from recmodels.published.schema import ADDED
from tasks.publish.sinks.settings import PostgresSettings, address
from tasks.publish.sinks.source import LISTS_BY, Published, Tally, compare
from tasks.store.files import Json

if TYPE_CHECKING:
    from psycopg import Connection, Cursor
    from psycopg.sql import Identifier

TYPES = {"date32[day]": "date", "int64": "bigint", "int16": "smallint", "float": "real", "string": "text"}
BLOCK = 8 * 2**20  # bytes of CSV that are read back at a time
WAIT = "10s"  # for readers of the table that hold up its swap; others queue behind them meanwhile


def load(settings: PostgresSettings, published: Published) -> Json:
    """Bring the tables to the current export: what arrived, by table.

    Raises:
        ConfigError: the address or the package is missing, or a table of the name has other columns.
        ConnectionError: the server does not answer.
        NightrecError: the server refused it, or what arrived is not what was sent.
    """
    try:
        import psycopg
    except ImportError:
        raise ConfigError("The sink postgres needs another package: pip install 'nightrec[postgres]'.") from None
    names = {table: _name_of(settings, table) for table in published.tables}
    try:
        with psycopg.connect(address(settings.dsn_env), autocommit=True, connect_timeout=10) as connection:
            connection.execute(f"SET lock_timeout = '{WAIT}'")
            proofs = {}
            for table, name in names.items():
                _make(connection, name, table, published)
                with connection.transaction():
                    _stage(connection, name)
                    proofs[table] = _fill(connection, name, table, published)
            with connection.transaction():
                for name in names.values():
                    _swap(connection, name, published)
    except psycopg.errors.LockNotAvailable:
        raise NightrecError(f"A query has held {settings.table} for {WAIT}, so it was not swapped.") from None
    except psycopg.Error as error:  # its own text may hold a row's values, or the address
        if error.sqlstate is None:
            raise ConnectionError(f"The server of {settings.dsn_env} does not answer, or lets nobody in.") from None
        kind = type(error).__name__
        why = f"{kind}, SQLSTATE {error.sqlstate}"
        raise NightrecError(f"The server of {settings.dsn_env} refused it: {why}.") from None
    return proofs


def _name_of(settings: PostgresSettings, table: str) -> str:
    return settings.table if table == "topk" else f"{settings.table}_{table}"


def _identifier(name: str) -> Identifier:
    """A name, or schema.name, quoted: it may be a word of SQL."""
    from psycopg import sql

    return sql.Identifier(*name.split("."))


def _run(connection: Connection[Any], statement: str, **names: str | list[str]) -> Cursor[Any]:
    """Run a statement with names in it, quoted; a list of names becomes columns."""
    from psycopg import sql

    quoted = {
        key: _identifier(value) if isinstance(value, str) else sql.SQL(", ").join(map(sql.Identifier, value))
        for key, value in names.items()
    }
    return connection.execute(sql.SQL(statement).format(**quoted))


def _make(connection: Connection[Any], name: str, table: str, published: Published) -> None:
    """Make the table with its columns and its index; one of an earlier release gets the columns that it lacks.

    Nothing is filled meanwhile: readers wait for a moment only.
    """
    fields = published.schema(table)
    expected = [(field.name, TYPES[str(field.type)]) for field in fields]
    columns = ", ".join(
        f'"{field.name}" {TYPES[str(field.type)]}{"" if field.nullable else " NOT NULL"}' for field in fields
    )
    find = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE attrelid = to_regclass(%s) AND relkind = 'p' AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    quoted = _identifier(name).as_string(connection)
    if connection.execute("SELECT to_regclass(%s)", [quoted]).fetchone() == (None,):
        _run(connection, f"CREATE TABLE {{name}} ({columns}) PARTITION BY LIST (run_date)", name=name)
        _run(connection, "CREATE INDEX ON {name} ({keys})", name=name, keys=[*LISTS_BY[table], "rank"])
    elif (found := connection.execute(find, [quoted]).fetchall()) != expected:
        more = expected[len(found) :]
        if not found or found != expected[: len(found)] or not {column for column, _ in more} <= set(ADDED):
            raise ConfigError(
                f"{name} is not the table of such lists, or of other columns: drop it, or name another one."
            )
        added = ", ".join(f"ADD COLUMN {column} {kind}" for column, kind in more)
        _run(connection, f"ALTER TABLE {{name}} {added}", name=name)


def _stage(connection: Connection[Any], name: str) -> None:
    """Make an empty staging table."""
    _run(connection, "DROP TABLE IF EXISTS {next}", next=f"{name}_next")
    _run(connection, "CREATE TABLE {next} (LIKE {name})", next=f"{name}_next", name=name)


def _fill(connection: Connection[Any], name: str, table: str, published: Published) -> Json:
    """Copy the rows, index them, and read them back."""
    sent, arrived, schema, staging = Tally(), Tally(), published.schema(table), f"{name}_next"
    with connection.cursor() as cursor:
        from psycopg import sql

        into = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(_identifier(staging))
        with cursor.copy(into) as copy:
            for rows in published.rows(table):
                text = io.BytesIO()
                csv.write_csv(sent.add(rows), text, csv.WriteOptions(include_header=False))
                copy.write(text.getbuffer())
        _run(connection, "CREATE INDEX ON {next} ({keys})", next=staging, keys=[*LISTS_BY[table], "rank"])
        # So that the swap need not look at the rows.
        _run(connection, f"ALTER TABLE {{next}} ADD CHECK (run_date = '{published.run_date}')", next=staging)
        back = sql.SQL("COPY {} TO STDOUT (FORMAT csv)").format(_identifier(staging))
        with cursor.copy(back) as copy:
            for block in _blocks(iter(copy)):
                arrived.add(_parsed(block, schema))
    return compare(table, sent, arrived)


def _blocks(lines: Iterator[Any]) -> Iterator[bytes]:
    """Whole rows of CSV, which the server sends one by one, some megabytes at a time."""
    held, size = [], 0
    for line in lines:
        held.append(bytes(line))
        size += len(line)
        if size >= BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _parsed(block: bytes, schema: pa.Schema) -> pa.Table:
    return csv.read_csv(
        io.BytesIO(block),
        csv.ReadOptions(column_names=schema.names),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=dict(zip(schema.names, schema.types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _swap(connection: Connection[Any], name: str, published: Published) -> None:
    """The new rows for the old ones, within the caller's transaction."""
    find = (
        "SELECT nspname || '.' || relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE inhparent = to_regclass(%s)"
    )
    for (old,) in connection.execute(find, [_identifier(name).as_string(connection)]).fetchall():
        _run(connection, "DROP TABLE {old}", old=old)
    night = f"FOR VALUES IN ('{published.run_date}')"
    _run(connection, f"ALTER TABLE {{name}} ATTACH PARTITION {{next}} {night}", name=name, next=f"{name}_next")
    current = f"{name.rpartition('.')[2]}_current"
    _run(connection, "ALTER TABLE {next} RENAME TO {current}", next=f"{name}_next", current=current)
