"""One input file as a relation in SQL, whatever its format: its columns, their types, its values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

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
from tasks.ingest.reading.packing import head
from tasks.ingest.reading.textfiles import contained, refuse_garbled
from tasks.store.duckdb import file_literal, literal, read_parquet

TEXT, JSON = "TEXT", "JSON"  # types of values besides DuckDB's own: CSV text, which has none, and JSON as written
_KEYS_FROM = 100_000  # lines of a JSON file that are looked at to learn its keys


class Value(NamedTuple):
    """A value as SQL, and its type: `TEXT`, `JSON` or a DuckDB type."""

    sql: str
    type: str


def as_text(value: Value) -> str:
    """The value as SQL text: a JSON string without its quotes, lists and structures as JSON."""
    if value.type in (TEXT, "VARCHAR"):
        return value.sql
    if value.type == JSON:
        return f"({value.sql} ->> '$')"
    if value.type.endswith("]") or value.type.startswith(("STRUCT", "MAP")):
        return f"CAST(to_json({value.sql}) AS VARCHAR)"
    if value.type == "BLOB":
        return f"COALESCE(TRY(decode({value.sql})), CAST({value.sql} AS VARCHAR))"
    return f"CAST({value.sql} AS VARCHAR)"


@dataclass(frozen=True)
class Source:
    """A file of a table. `path` is the site's file, `readable` it or a copy; `columns`: name → type.

    `missing`: texts that mean no value; `exploded`: the column whose lists are read as a row for each of their values.
    `partition`: the last of the columns, which are the same in every row, since the file's folders give them.
    `stored`, `packed` and `encoding`: how the site's file is written, in words.
    """

    path: Path
    readable: Path
    format: Format
    columns: dict[str, str]
    dialect: Dialect | None = None
    partition: Mapping[str, str | None] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    exploded: str | None = None
    stored: str = ""
    packed: tuple[str, ...] = ()
    encoding: str = "utf-8"

    @property
    def is_text(self) -> bool:
        """Whether the file consists of lines that can be refused one by one."""
        return self.format != "parquet"

    @property
    def skip(self) -> int:
        """Lines before the first that may be a row."""
        return self.dialect.skip if self.dialect else 0

    def value(self, column: str) -> Value:
        """A column of `relation()` as SQL, NULL where it holds one of the `missing` texts."""
        value = self._value(column)
        if not self.missing or value.type not in (TEXT, JSON, "VARCHAR"):
            return value
        texts = [json.dumps(text, ensure_ascii=False) if value.type == JSON else text for text in self.missing]
        return Value(
            f"CASE WHEN {value.sql} NOT IN ({', '.join(map(literal, texts))}) THEN {value.sql} END", value.type
        )

    def _value(self, column: str) -> Value:
        if column == self.exploded:
            return Value("item", self.columns[column].removesuffix("[]"))
        if column in self.partition:
            text = self.partition[column]
            return Value(f"CAST({'NULL' if text is None else literal(text)} AS VARCHAR)", TEXT)
        position = list(self.columns).index(column)
        if self.format == "csv":
            return Value(f"c{position}", TEXT)
        if self.format == "jsonl":
            return Value(f"c{position}", JSON)
        return Value(f"c{position}", self.columns[column])

    def relation(self) -> str:
        """The rows in the order of the file, as something to select from, whose columns are named by their place.

        Lines of JSON files keep their place: `line` is NULL for blank ones and `v` for those that are no object.
        A row is there once for each value of a column that is `exploded`, as `item`; the first of them is `begins`.
        """
        if self.exploded is None:
            return self._rows()
        x = replace(self, exploded=None, missing=()).value(self.exploded)
        if x.type == JSON:
            is_list, values = f"ascii({x.sql}) = 91", f"CAST(json_extract({x.sql}, '$[*]') AS VARCHAR[])"
        else:
            is_list, values = f"{x.sql} IS NOT NULL", x.sql
        one = f"CASE WHEN NOT ({is_list}) THEN {x.sql} END" if x.type == JSON else "NULL"
        lists = f"SELECT *, CASE WHEN {is_list} AND len({values}) > 0 THEN {values} ELSE [{one}] END AS items"
        each = "NULLIF(unnest(items), 'null')" if x.type == JSON else "unnest(items)"
        return f"(SELECT *, {each} AS item, unnest(range(len(items))) = 0 AS begins FROM ({lists} FROM {self._rows()}))"

    def _rows(self) -> str:
        if self.format == "parquet":
            places = range(len(self.columns) - len(self.partition))
            return f"{read_parquet(self.readable)} AS file({', '.join(f'c{place}' for place in places)})"
        if self.format == "csv":
            assert self.dialect is not None
            return _read_csv(self.readable, self.dialect)
        keys = [key for key in self.columns if key not in self.partition]
        paths = ", ".join(literal(_pointer(key)) for key in keys)
        values = f"json_extract({OBJECT}, [{paths}])" if keys else "NULL"
        each = "".join(f", NULLIF(CAST(v[{n + 1}] AS VARCHAR), 'null') AS c{n}" for n in range(len(keys)))
        return f"(SELECT line, v{each} FROM (SELECT line, {values} AS v FROM {_json_lines(self.readable)}))"


OBJECT = "CASE WHEN starts_with(ltrim(line), '{') AND json_valid(line) THEN line END"


def _pointer(key: str) -> str:
    """A key as a JSON pointer, which unlike a path can name any."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _json_lines(path: Path) -> str:
    """A line a row: \\x01 may not stand in JSON, so a line that has one would not be JSON either."""
    return f"(SELECT c0 AS line FROM {_read_csv(path, Dialect(chr(1), '', ('line',), 0))})"


def _read_csv(path: Path, dialect: Dialect) -> str:
    columns = ", ".join(f"c{i}: 'VARCHAR'" for i in range(len(dialect.columns)))
    zipped = "gzip" if head(path, 2, unzip=False) == b"\x1f\x8b" else "none"
    return (
        f"read_csv({file_literal(path)}, hive_partitioning = false, compression = '{zipped}', "
        f"auto_detect = false, header = false, "
        f"skip = {dialect.skip}, delim = {literal(dialect.delimiter)}, quote = {literal(dialect.quote)}, "
        f"escape = {literal(dialect.escape or dialect.quote)}, columns = {{{columns}}}, store_rejects = true)"
    )


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
    names = _json_keys(db, path, plain, wanted, every_key)
    if not names:
        raise DataRefused(f"{path}, line 1: no JSON object on a line of its own; write one object a line.")
    return _source(file, plain, "jsonl", dict.fromkeys(names, JSON), lines)


def _json_keys(db: duckdb.DuckDBPyConnection, path: Path, lines: Path, wanted: Wanted, every_key: bool) -> list[str]:
    """The keys of a file's objects; unless every one is asked for, those of later lines only where they are wanted."""
    some = _json_lines(lines) if every_key else f"(SELECT line FROM {_json_lines(lines)} LIMIT {_KEYS_FROM})"
    found = {str(row[0]) for row in run(db, f"SELECT DISTINCT unnest(json_keys({OBJECT})) FROM {some}", path)}
    absent = {json.dumps(name, ensure_ascii=False).encode(): name for name in wanted.names if name not in found}
    if found and not every_key and absent:
        found |= {absent[key] for key in contained(lines, absent)}
    return sorted(found)


def _source(file: File, readable: Path, kind: Format, columns: dict[str, str], how: Dialect | None = None) -> Source:
    """With the columns that the folders give: those of the file come before them."""
    partition = {name: value for name, value in file.partition.items() if name not in columns}
    return Source(file.path, readable, kind, columns | dict.fromkeys(partition, TEXT), how, partition)


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


def run(db: duckdb.DuckDBPyConnection, sql: str, path: Path) -> list[tuple[Any, ...]]:
    """All rows of a query over a file.

    Raises:
        Unreadable: with DuckDB's own reason.
    """
    try:
        rows: list[tuple[Any, ...]] = db.execute(sql).fetchall()
    except duckdb.Error as error:
        raise Unreadable(path, error) from None
    return rows
