"""One input file as a relation in SQL, whatever its format: its columns, their types, its values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from tasks.ingest.reading.copies import Unreadable
from tasks.ingest.reading.dialects import Dialect
from tasks.ingest.reading.inputs import Format
from tasks.ingest.reading.packing import head
from tasks.store.duckdb import file_literal, literal, read_parquet

TEXT, JSON = "TEXT", "JSON"  # types of values besides DuckDB's own: CSV text, which has none, and JSON as written
BOM = 0xFEFF  # as a number: in statements that are not all ASCII DuckDB's client looks at each character


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
    `header`: column of a CSV file → what it has in a line that is the header once more, as where files were joined.
    `nested`: columns that are fields of others → the names to follow, as `user.id` is `user` and `id`; they stand
    after the file's own.
    `stored`, `packed` and `encoding`: how the site's file is written, in words.
    `closed`: an earlier night has opened it, and there is no copy of it now that can be read; see `Table.opened`.
    """

    path: Path
    readable: Path
    format: Format
    columns: dict[str, str]
    dialect: Dialect | None = None
    partition: Mapping[str, str | None] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    exploded: str | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    nested: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stored: str = ""
    packed: tuple[str, ...] = ()
    encoding: str = "utf-8"
    closed: bool = False

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
        if column in self.nested and self.format == "parquet":
            root, *fields = self.nested[column]
            return Value(field_of(self._value(root).sql, fields), self.columns[column])
        position = list(self.columns).index(column)
        if self.format == "csv":
            return Value(f"c{position}", TEXT)
        if self.format == "jsonl":
            return Value(f"c{position}", JSON)
        return Value(f"c{position}", self.columns[column])

    def repeats_header(self) -> str | None:
        """SQL: whether a row is the header once more; None where none can be."""
        first = next(iter(self.columns), None)
        found = "true"
        for column in sorted(self.header, key=lambda column: column != first):
            value, text = self._value(column).sql, self.header[column]
            # A file that was joined to another brings its own mark of byte order and of comments.
            marks = ("", "#", "# ") if column == first else ("",)
            texts = ", ".join(literal(mark + text) for mark in marks)
            texts += f", chr({BOM}) || {literal(text)}" if column == first else ""
            equal = f"{value} IN ({texts})" if text else f"coalesce({value}, '') IN ({texts})"
            found = f"CASE WHEN {equal} THEN {found} ELSE false END"  # unlike AND, it stops at the first that differs
        return found if self.header else None

    def relation(self, *, headers: bool = False) -> str:
        """The rows in the order of the file, as something to select from, whose columns are named by their place.

        Lines that are the header once more are no rows, unless `headers` are asked for.
        Lines of JSON files keep their place: `line` is NULL for blank ones and `v` for those that are no object.
        A row is there once for each value of a column that is `exploded`, as `item`; the first of them is `begins`.
        """
        if self.exploded is None:
            again = None if headers else self.repeats_header()
            return f"(SELECT * FROM {self._rows()} WHERE NOT {again})" if again else self._rows()
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
            places = range(len(self.columns) - len(self.partition) - len(self.nested))
            return f"{read_parquet(self.readable)} AS file({', '.join(f'c{place}' for place in places)})"
        if self.format == "csv":
            assert self.dialect is not None
            return _read_csv(self.readable, self.dialect)
        keys = [key for key in self.columns if key not in self.partition]
        paths = ", ".join(literal("".join(map(pointer, self.nested.get(key, [key])))) for key in keys)
        values = f"json_extract({OBJECT}, [{paths}])" if keys else "NULL"
        each = "".join(f", NULLIF(CAST(v[{n + 1}] AS VARCHAR), 'null') AS c{n}" for n in range(len(keys)))
        return f"(SELECT line, v{each} FROM (SELECT line, {values} AS v FROM {json_lines(self.readable)}))"


OBJECT = "CASE WHEN starts_with(ltrim(line), '{') AND json_valid(line) THEN line END"


def field_of(structure: str, names: Sequence[str]) -> str:
    """SQL: a field of a structure, or of one in it."""
    for name in names:
        structure = f"struct_extract({structure}, {literal(name)})"
    return structure


def pointer(key: str) -> str:
    """A key as a JSON pointer, which unlike a path can name any."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def json_lines(path: Path) -> str:
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


def as_kept(source: Source) -> Source:
    """What later nights may know of a file whatever its name, for `as_known`."""
    return replace(
        source,
        path=Path(),
        readable=Path(),
        partition=dict.fromkeys(source.partition),
        missing=(),
        exploded=None,
        closed=source.closed or source.readable != source.path.absolute(),
    )


def as_known(kept: Source, path: Path, partition: Mapping[str, str | None]) -> Source | None:
    """A file, unchanged since an earlier night has opened it; None where its folders do not give what they did."""
    if not partition.keys() >= kept.partition.keys():
        return None
    return replace(
        kept, path=path, readable=path.absolute(), partition={name: partition[name] for name in kept.partition}
    )


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
