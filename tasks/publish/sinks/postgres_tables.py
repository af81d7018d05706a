"""Tables of PostgreSQL that are replaced as a whole: staged, read back, and swapped in by one transaction.

Each table has one partition, the current night's: the swap detaches one and attaches another, so the table keeps its
name, its grants and the views on it, and its readers see the old rows or the new ones, of all tables.

The nodes of an engine copy the rows to staging tables, a file each, and read them back, some pages each. Which files
are to be copied is a table, too: a file is taken from there by the transaction that copies it, so that a bucket that
is repeated, even while the first one still works, copies nothing twice.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv

from recmodels.engine.work import Bucket, Work
from recmodels.errors import ConfigError, NightrecError
from recmodels.published.schema import ADDED
from tasks.publish.by_nodes import ANSWER, by_nodes
from tasks.publish.sinks.by_file import ROWS, by_file, by_table, files_of, total
from tasks.publish.sinks.settings import address
from tasks.publish.sinks.source import Published, Tally, compare, rows_of, schema_of
from tasks.publish.sinks.vector_texts import from_texts, is_vector, rounded_to_half, to_texts
from tasks.store.files import Json, write_json

if TYPE_CHECKING:
    from psycopg import Connection, Cursor
    from psycopg.sql import Composed

TYPES = {
    "bool": "boolean",
    "date32[day]": "date",
    "int64": "bigint",
    "int16": "smallint",
    "float": "real",
    "string": "text",
}
BLOCK = 8 * 2**20  # bytes of CSV that are read back at a time
PAGES, MOST = 2**11, 2**10  # pages of a staging table that a bucket reads back: 16 MB, more of one with more buckets
WAIT = "10s"  # for readers of the table that hold up its swap; others queue behind them meanwhile
NOTICED = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"


@dataclass(frozen=True)
class Target:
    """A table there, for one of the export's.

    Attributes:
        name: name or schema.name.
        table: of the export.
        types: SQL types of columns that `TYPES` does not know.
        keys: the columns of its index.
        indexes: more of them, each as what follows `CREATE INDEX ON table`.
    """

    name: str
    table: str
    keys: Sequence[str]
    types: Mapping[str, str] = field(default_factory=dict)
    indexes: Sequence[str] = ()

    @property
    def staging(self) -> str:
        return f"{self.name}_next"

    def columns(self, published: Published) -> dict[str, str]:
        """The SQL types of its columns, by name."""
        schema = published.schema(self.table)
        return {field.name: self.types.get(field.name) or TYPES[str(field.type)] for field in schema}


def replace(variable: str, targets: Sequence[Target], published: Published) -> Json:
    """Bring tables to the current export: what arrived, by table of the export.

    Raises:
        ConfigError: the address or the package is missing, or a table of the name has other columns.
        ConnectionError: the server does not answer.
        NightrecError: the server refused it, or what arrived is not what was sent.
    """
    named = {target.table: target for target in targets}
    files = f"{targets[-1].name}_next_files"
    told: Json = {
        "variable": variable,
        "load": uuid.uuid4().hex,
        "files": files,
        "staging": {table: target.staging for table, target in named.items()},
        "half": any(kind.startswith("halfvec") for target in targets for kind in target.types.values()),
    }
    try:
        with server(variable, waits_for=targets[-1].name) as connection:
            for target in targets:
                _make(connection, target, published)
            _stage(connection, targets, published, files, told["load"])
        sent = by_file(copy_file, published, told, list(named))
        with server(variable) as connection:
            buckets = [one for target in targets for one in _pages(connection, target, published, told)]
        arrived = by_table(buckets, by_nodes(read_back, buckets, published.folder))
        proofs = {table: compare(table, total(sent[table]), total(arrived[table])) for table in named}
        with server(variable, waits_for=targets[-1].name) as connection:
            for target in targets:
                _index(connection, target, published)
            with connection.transaction():
                for target in targets:
                    _swap(connection, target, published)
                run(connection, "DROP TABLE {files}", files=files)
    except Exception:
        with suppress(Exception), server(variable, waits_for=targets[-1].name) as connection:
            _drop(connection, [*told["staging"].values(), files])
        raise
    return proofs


def clear(variable: str, name: str, columns: Sequence[str]) -> None:
    """Remove the rows of a table of ours that is loaded no more; one with other columns is somebody else's, and stays.

    Raises:
        ConfigError, ConnectionError, NightrecError: as of `replace`.
    """
    with server(variable, waits_for=name) as connection:
        if [*_found(connection, name)] == [*columns]:
            with connection.transaction():
                _drop_partitions(connection, name)


@contextmanager
def server(variable: str, waits_for: str | None = None) -> Iterator[Connection[Any]]:
    """A connection to the server whose address a variable of the environment holds. Raises what `replace` does.

    Args:
        variable: of the environment.
        waits_for: the table whose readers are waited for, `WAIT` at most; without it, there is no limit.
    """
    try:
        import psycopg
    except ImportError:
        raise ConfigError("The sink needs another package: pip install 'nightrec[postgres]'.") from None
    given = address(variable)
    try:
        with psycopg.connect(given, autocommit=True, connect_timeout=10, client_encoding="utf8") as connection:
            connection.execute(NOTICED)  # of a node that is lost, so that what it holds is free for another
            if waits_for:
                connection.execute(f"SET lock_timeout = '{WAIT}'")
            yield connection
    except psycopg.errors.LockNotAvailable:
        raise NightrecError(f"A query has held {waits_for} for {WAIT}, so it was not swapped.") from None
    except psycopg.Error as error:  # its own text may hold a row's values, or the address
        if error.sqlstate is None:
            raise ConnectionError(f"The server of {variable} does not answer, or lets nobody in.") from None
        why = f"{type(error).__name__}, SQLSTATE {error.sqlstate}"
        raise NightrecError(f"The server of {variable} refused it: {why}.") from None


def run(
    connection: Connection[Any], statement: str, values: Sequence[object] = (), **names: str | Sequence[str]
) -> Cursor[Any]:
    """Run a statement with names in it, quoted; a list of names becomes columns."""
    return connection.execute(_composed(statement, **names), values or None)


def _composed(statement: str, **names: str | Sequence[str]) -> Composed:
    from psycopg import sql

    quoted = {
        key: sql.Identifier(*value.split(".")) if isinstance(value, str) else _columns(value)
        for key, value in names.items()
    }
    return sql.SQL(statement).format(**quoted)


def _columns(names: Sequence[str]) -> Composed:
    from psycopg import sql

    return sql.SQL(", ").join(map(sql.Identifier, names))


def _quoted(connection: Connection[Any], name: str) -> str:
    """A name, or schema.name, quoted: it may be a word of SQL."""
    return _composed("{name}", name=name).as_string(connection)


def _found(connection: Connection[Any], name: str) -> dict[str, str]:
    """The columns of a table with partitions, and their types; none where there is no such table."""
    find = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE attrelid = to_regclass(%s) AND relkind = 'p' AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    return dict(connection.execute(find, [_quoted(connection, name)]).fetchall())


def _make(connection: Connection[Any], target: Target, published: Published) -> None:
    """Make the table with its columns and its index; one of an earlier release gets the columns that it lacks.

    Nothing is filled meanwhile: readers wait for a moment only.
    """
    name, columns = target.name, target.columns(published)
    nullable = {field.name for field in published.schema(target.table) if field.nullable}
    if connection.execute("SELECT to_regclass(%s)", [_quoted(connection, name)]).fetchone() == (None,):
        defined = ", ".join(
            f'"{column}" {kind}{"" if column in nullable else " NOT NULL"}' for column, kind in columns.items()
        )
        run(connection, f"CREATE TABLE {{name}} ({defined}) PARTITION BY LIST (run_date)", name=name)
        run(connection, "CREATE INDEX ON {name} ({keys})", name=name, keys=target.keys)
        return
    expected = _comparable(columns, target)
    found = _comparable(_found(connection, name), target)
    if found != expected:
        more = expected[len(found) :]
        if not found or found != expected[: len(found)] or not {column for column, _ in more} <= set(ADDED):
            raise ConfigError(
                f"{name} is not a table of this sink, or has other columns: drop it, or name another one."
            )
        added = ", ".join(f"ADD COLUMN {column} {kind}" for column, kind in more)
        run(connection, f"ALTER TABLE {{name}} {added}", name=name)


def _comparable(columns: Mapping[str, str], target: Target) -> list[tuple[str, str]]:
    """Columns in their order, with types except of those that may have others in another night."""
    return [(column, "" if column in target.types else kind) for column, kind in columns.items()]


def _stage(connection: Connection[Any], targets: Sequence[Target], published: Published, files: str, load: str) -> None:
    """Make empty staging tables, and the table of the files that are to be copied there.

    They are logged: a table that is not would have to be written once more before it can be read by others.
    """
    _drop(connection, [*(target.staging for target in targets), files])
    for target in targets:
        run(connection, "CREATE TABLE {next} (LIKE {name})", next=target.staging, name=target.name)
        _retype(connection, target, target.staging, published)
    run(connection, "CREATE TABLE {files} (load text, part text, PRIMARY KEY (load, part))", files=files)
    parts = list(files_of(published, [target.table for target in targets]))
    run(connection, "INSERT INTO {files} SELECT %s, unnest(%s::text[])", [load, parts], files=files)


def _drop(connection: Connection[Any], names: Sequence[str]) -> None:
    for name in names:
        run(connection, "DROP TABLE IF EXISTS {name}", name=name)


def _retype(connection: Connection[Any], target: Target, name: str, published: Published) -> None:
    """Give the columns of an empty table their types of tonight."""
    now, before = target.columns(published), _found(connection, target.name)
    for column in target.types:
        if now[column] != before[column]:
            run(
                connection,
                f"ALTER TABLE {{name}} ALTER COLUMN {{column}} TYPE {now[column]}",
                name=name,
                column=column,
            )


def copy_file(work: Work) -> None:
    """Copy the rows of a file to the staging table of its table, unless that was done."""
    told, file, sent = work.arguments, work.inputs[ROWS], Tally()
    with server(told["variable"]) as connection, connection.transaction(), connection.cursor() as cursor:
        took = run(
            connection,
            "DELETE FROM {files} WHERE load = %s AND part = %s",
            [told["load"], told["part"]],
            files=told["files"],
        )
        into = _composed("COPY {next} FROM STDIN (FORMAT csv)", next=told["staging"][told["table"]])
        with cursor.copy(into) if took.rowcount else nullcontext() as copy:
            for rows in rows_of(file, told["table"]):
                kept = sent.add(rounded_to_half(rows) if told["half"] else rows)
                if copy is not None:
                    text = io.BytesIO()
                    csv.write_csv(to_texts(kept), text, csv.WriteOptions(include_header=False))
                    copy.write(text.getbuffer())
    write_json(work.out / ANSWER, sent.proof())


def _pages(connection: Connection[Any], target: Target, published: Published, told: Json) -> list[Bucket]:
    """The buckets that read back a staging table, some pages each."""
    size = "SELECT pg_relation_size(to_regclass(%s)) / current_setting('block_size')::bigint"
    ((pages,),) = connection.execute(size, [_quoted(connection, target.staging)]).fetchall()
    step = max(PAGES, -(-pages // MOST))
    return [
        Bucket(
            f"{target.table}-{first}",
            {ROWS: Path(published.files(target.table)[0])},  # for the types of its columns
            {
                "variable": told["variable"],
                "staging": target.staging,
                "table": target.table,
                "pages": [first, first + step],
            },
        )
        for first in range(0, max(pages, 1), step)
    ]


def read_back(work: Work) -> None:
    """Count the rows that are in some pages of a staging table, and what they hold."""
    told, arrived = work.arguments, Tally()
    schema = schema_of(work.inputs[ROWS], told["table"])
    first, end = told["pages"]
    rows = f"SELECT * FROM {{next}} WHERE ctid >= '({first},0)'::tid AND ctid < '({end},0)'::tid"
    back = _composed(f"COPY ({rows}) TO STDOUT (FORMAT csv)", next=told["staging"])
    with server(told["variable"]) as connection, connection.cursor() as cursor, cursor.copy(back) as copy:
        for block in _blocks(iter(copy)):
            arrived.add(_parsed(block, schema))
    write_json(work.out / ANSWER, arrived.proof())


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
    types = {field.name: pa.string() if is_vector(field.type) else field.type for field in schema}
    texts = csv.read_csv(
        io.BytesIO(block),
        csv.ReadOptions(column_names=schema.names),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return from_texts(texts, schema)


def _index(connection: Connection[Any], target: Target, published: Published) -> None:
    """Index the staged rows, and state their night, so that the swap need not look at them."""
    run(connection, "CREATE INDEX ON {next} ({keys})", next=target.staging, keys=target.keys)
    for index in target.indexes:
        run(connection, f"CREATE INDEX ON {{next}} {index}", next=target.staging)
    run(connection, f"ALTER TABLE {{next}} ADD CHECK (run_date = '{published.run_date}')", next=target.staging)


def _swap(connection: Connection[Any], target: Target, published: Published) -> None:
    """The new rows for the old ones, within the caller's transaction."""
    from psycopg.errors import FeatureNotSupported

    name = target.name
    _drop_partitions(connection, name)
    try:
        _retype(connection, target, name, published)
    except FeatureNotSupported:
        raise NightrecError(
            f"The vectors are of another length than those of {name}, and a view holds them: drop it, and load again."
        ) from None
    night = f"FOR VALUES IN ('{published.run_date}')"
    run(connection, f"ALTER TABLE {{name}} ATTACH PARTITION {{next}} {night}", name=name, next=target.staging)
    current = f"{name.rpartition('.')[2]}_current"
    run(connection, "ALTER TABLE {next} RENAME TO {current}", next=target.staging, current=current)


def _drop_partitions(connection: Connection[Any], name: str) -> None:
    """Remove the rows that a table has."""
    find = (
        "SELECT nspname || '.' || relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE inhparent = to_regclass(%s)"
    )
    for (old,) in connection.execute(find, [_quoted(connection, name)]).fetchall():
        run(connection, "DROP TABLE {old}", old=old)
