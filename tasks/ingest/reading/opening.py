"""A file, opened as a source: what it holds is told by its contents, its columns by its header, keys or schema."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from tasks.ingest.reading.contents import EMPTY, Contents, contents, refuse_unread
from tasks.ingest.reading.copies import Unreadable, readable
from tasks.ingest.reading.dialects import Dialect, Wanted, dialect, one_column
from tasks.ingest.reading.files import File
from tasks.ingest.reading.headers import distinct
from tasks.ingest.reading.inputs import Format, TableInput
from tasks.ingest.reading.remedies import shortened
from tasks.ingest.reading.sources import JSON, OBJECT, TEXT, Source, field_of, json_lines, pointer, run
from tasks.ingest.reading.textfiles import contained, refuse_garbled
from tasks.store.duckdb import literal, read_parquet

_KEYS_FROM = 100_000  # lines of a JSON file that are looked at to learn its keys


def open_source(
    db: duckdb.DuckDBPyConnection,
    file: File,
    table: TableInput,
    wanted: Wanted,
    copies: Path,
    *,
    copied: bool = False,
    every_key: bool = False,
) -> Source | None:
    """The file as a source, None if it is empty; `wanted`: column names that tell a header's delimiter.

    JSON lines are looked through for `every_key`, or for the keys of the first lines and the wanted ones. A copy is
    written into `copies` where DuckDB needs one, or where it is asked for: of text in UTF-8 with even line ends, of
    other tables as Parquet.

    Raises:
        DataRefused: the file is not what it claims to be.
    """
    path = file.path
    found = contents(path, table)
    if found.unread == EMPTY:
        return None
    refuse_unread(path, found, table)
    plain = readable(db, path, found, copies, copied)
    source = _opened(db, file, found, plain, table, wanted, every_key)
    if source is None:
        return None
    source = replace(source, **_nested(db, source, table))
    stored = {"text": source.format, "array": "json array", "objects": "json objects"}.get(found.stored, found.stored)
    return replace(source, stored=stored, packed=found.packed, encoding=found.encoding)


def _opened(
    db: duckdb.DuckDBPyConnection,
    file: File,
    found: Contents,
    plain: Path,
    table: TableInput,
    wanted: Wanted,
    every_key: bool,
) -> Source | None:
    """The file, of which `plain` is readable, as a source, None if it is empty."""
    path = file.path
    if found.format == "parquet":
        described = run(db, f"DESCRIBE SELECT * FROM {read_parquet(plain)}", path)
        return _source(file, plain, "parquet", _parquet_columns(plain, [str(row[1]) for row in described]))
    if found.format == "csv":
        if (how := dialect(path, plain, table, wanted)) is None:
            return None
        if not table.header:
            refuse_garbled(path, found.start, found.encoding)
        return _source(file, plain, "csv", dict.fromkeys(how.columns, TEXT), how)
    if (lines := one_column(plain)) is None:
        return None
    names, notes = _json_keys(db, path, plain, wanted, every_key)
    if not names:
        raise DataRefused(f"{path}, line 1: no JSON object on a line of its own; write one object a line.")
    return _source(file, plain, "jsonl", dict.fromkeys(names, JSON), replace(lines, notes=notes))


def _json_keys(
    db: duckdb.DuckDBPyConnection, path: Path, lines: Path, wanted: Wanted, every_key: bool
) -> tuple[list[str], tuple[str, ...]]:
    """The keys of a file's objects, and a note of those that an object has several times.

    Unless every key is asked for, those of later lines are found only where they are wanted.
    """
    some = json_lines(lines) if every_key else f"(SELECT line FROM {json_lines(lines)} LIMIT {_KEYS_FROM})"
    layouts = f"SELECT json_keys({OBJECT}) AS keys, count(*) AS n FROM {some} GROUP BY keys"
    keys = f"SELECT keys, n, unnest(keys) AS key FROM ({layouts})"
    keys = f"SELECT key, n, count(*) AS times FROM ({keys}) GROUP BY keys, key, n"
    counted = run(db, f"SELECT key, coalesce(sum(n) FILTER (times > 1), 0) FROM ({keys}) GROUP BY key", path)
    found = {str(key) for key, _ in counted}
    names = {part for name in wanted.names for part in (name, name.split(".")[0])}
    absent = {json.dumps(name, ensure_ascii=False).encode(): name for name in names if name not in found}
    if found and not every_key and absent:
        found |= {absent[key] for key in contained(lines, absent)}
    notes = tuple(
        f"'{shortened(str(key))}' stands several times in {objects:,} object{'s' * (objects > 1)}; the first value is "
        "read"
        for key, objects in sorted(counted)
        if objects
    )
    return sorted(found), notes


def _nested(db: duckdb.DuckDBPyConnection, source: Source, table: TableInput) -> dict[str, Any]:
    """The columns and the nested ones of a source, with those of the names in `table` that lead into objects."""
    nested: dict[str, Sequence[str]] = {}
    types: dict[str, str] = {}
    mapped = [name for names in table.columns.values() for name in ([names] if isinstance(names, str) else names)]
    for name in dict.fromkeys(mapped) if source.format != "csv" else ():
        parts = name.split(".")
        roots = [".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]
        root = next((root for root in roots if root in source.columns), None)
        if name in source.columns or root is None:
            continue
        path = [root, *name.removeprefix(f"{root}.").split(".")]
        if kind := _type_of_field(db, source, path):
            nested[name], types[name] = path, kind
    own = {column: kind for column, kind in source.columns.items() if column not in source.partition}
    partition = {column: source.columns[column] for column in source.partition}
    return {"columns": own | types | partition, "nested": nested}


def _type_of_field(db: duckdb.DuckDBPyConnection, source: Source, path: Sequence[str]) -> str | None:
    """The type of a field of a column, None where there is no such field."""
    value = source.value(path[0])
    if value.type == JSON:
        field = literal("".join(map(pointer, path[1:])))
        there = f"json_extract({value.sql}, {field}) IS NOT NULL"
        return JSON if run(db, f"SELECT 1 FROM {source.relation()} WHERE {there} LIMIT 1", source.path) else None
    try:
        described = db.execute(f"DESCRIBE SELECT {field_of(value.sql, path[1:])} FROM {source.relation()}").fetchall()
    except duckdb.Error:
        return None
    return str(described[0][1])


def _source(file: File, readable: Path, kind: Format, columns: dict[str, str], how: Dialect | None = None) -> Source:
    """With the columns that the folders give: those of the file come before them."""
    partition = {name: value for name, value in file.partition.items() if name not in columns}
    header = dict(zip(columns, how.header, strict=True)) if how and len(how.header) == len(columns) else {}
    every = columns | dict.fromkeys(partition, TEXT)
    return Source(file.path, readable, kind, every, how, partition, header=header)


def _parquet_columns(path: Path, types: Sequence[str]) -> dict[str, str]:
    """The columns of a Parquet file as they are called, and their types, of which DuckDB gives the given ones.

    DuckDB changes names that differ only by case, and types that it does not have.
    """
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(path, error) from None
    lost = {"duration": "DURATION", "halffloat": "HALF_FLOAT", "decimal256": "WIDE_DECIMAL"}
    kinds = [re.split(r"[(\[]", str(field.type))[0] for field in schema]
    found = [lost.get(kind, given) for kind, given in zip(kinds, types, strict=True)]
    return dict(zip(distinct(schema.names), found, strict=True))
