"""One input file as a relation in SQL, whatever its format: its columns, their types, its values."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.reading import textfiles
from tasks.ingest.reading.dialects import Dialect, dialect
from tasks.ingest.reading.inputs import GZIP, Format, TableInput, format_of, head
from tasks.store.duckdb import literal, quoted

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
    return f"CAST({value.sql} AS VARCHAR)"


@dataclass(frozen=True)
class Source:
    """A file of a table. `path` is the site's file, `readable` it or a UTF-8 copy; `columns`: name → type."""

    path: Path
    readable: Path
    format: Format
    columns: dict[str, str]
    dialect: Dialect | None = None

    @property
    def is_text(self) -> bool:
        """Whether the file consists of lines that can be refused one by one."""
        return self.format != "parquet"

    @property
    def skip(self) -> int:
        """Lines before the first that may be a row."""
        return self.dialect.skip if self.dialect else 0

    def value(self, column: str) -> Value:
        """A column of `relation()` as SQL."""
        position = list(self.columns).index(column)
        if self.format == "csv":
            return Value(f"c{position}", TEXT)
        if self.format == "jsonl":
            return Value(f"NULLIF(CAST(v[{position + 1}] AS VARCHAR), 'null')", JSON)
        return Value(quoted(column), self.columns[column])

    def relation(self) -> str:
        """The rows in the order of the file, as something to select from.

        Lines of JSON files keep their place: `line` is NULL for blank ones and `v` for those that are no object.
        """
        if self.format == "parquet":
            return f"read_parquet({literal(self.readable)})"
        if self.format == "csv":
            assert self.dialect is not None
            return _read_csv(self.readable, self.dialect)
        paths = ", ".join(literal("$." + json.dumps(key, ensure_ascii=False)) for key in self.columns)
        values = f"json_extract({OBJECT}, [{paths}])" if self.columns else "NULL"
        return f"(SELECT line, {values} AS v FROM {_json_lines(self.readable)})"


OBJECT = "CASE WHEN starts_with(ltrim(line), '{') AND json_valid(line) THEN line END"


def _json_lines(path: Path) -> str:
    """A line a row: \\x01 may not stand in JSON, so a line that has one would not be JSON either."""
    return f"(SELECT c0 AS line FROM {_read_csv(path, Dialect(chr(1), '', ('line',), 0))})"


def _read_csv(path: Path, dialect: Dialect) -> str:
    columns = ", ".join(f"c{i}: 'VARCHAR'" for i in range(len(dialect.columns)))
    zipped = "gzip" if head(path, 2, unzip=False) == GZIP else "none"
    return (
        f"read_csv({literal(path)}, compression = '{zipped}', auto_detect = false, header = false, "
        f"skip = {dialect.skip}, delim = {literal(dialect.delimiter)}, quote = {literal(dialect.quote)}, "
        f"escape = {literal(dialect.quote)}, columns = {{{columns}}}, store_rejects = true)"
    )


def open_source(
    db: duckdb.DuckDBPyConnection,
    path: Path,
    table: TableInput,
    wanted: Collection[str],
    copies: Path,
    *,
    copied: bool = False,
) -> Source | None:
    """The file as a source, None if it is empty; `wanted`: column names that tell a header's delimiter.

    A copy in UTF-8 with even line ends is written into `copies` where DuckDB needs one, or where it is asked for.

    Raises:
        DataRefused: the file is not what it claims to be.
    """
    kind = format_of(path, table)
    if path.stat().st_size == 0:
        return None
    if kind == "parquet":
        described = run(db, f"DESCRIBE SELECT * FROM read_parquet({literal(path)})", path)
        return Source(path, path, kind, {str(row[0]): str(row[1]) for row in described})
    readable = path
    if copied or textfiles.needs_copy(path, table.encoding):
        with NamedTemporaryFile(dir=copies, delete=False) as copy:
            readable = Path(copy.name)
        textfiles.write_copy(path, table.encoding, readable)
    found = dialect(readable, table if kind == "csv" else _LINES, wanted)
    if found is None:
        return None
    if kind == "csv":
        return Source(path, readable, kind, dict.fromkeys(found.columns, TEXT), found)
    keys = run(
        db,
        f"SELECT DISTINCT unnest(json_keys({OBJECT})) FROM (SELECT line FROM {_json_lines(readable)} "
        f"LIMIT {_KEYS_FROM})",
        path,
    )
    names = sorted(str(row[0]) for row in keys)
    if not names:
        hint = " (a JSON array, it seems)" if head(readable, 1) == b"[" else ""
        raise DataRefused(f"{path}, line 1: no JSON object on a line of its own{hint}; write one object a line.")
    return Source(path, readable, kind, dict.fromkeys(names, JSON))


_LINES = TableInput(path="", delimiter="\x01", header=["line"], quote=None)


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


class Unreadable(DataRefused):
    """A file that cannot be read to its end."""

    def __init__(self, path: Path, error: Exception) -> None:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        super().__init__(f"{path} cannot be read ({reason}); it may be damaged or cut short: write it again.")
        self.path = path
