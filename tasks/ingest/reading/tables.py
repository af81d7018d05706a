"""One table of the site, opened: its files as sources, the types of its columns, and the query that reads a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.reading import ids, schema, timestamps
from tasks.ingest.reading.inputs import TableInput, resolve
from tasks.ingest.reading.sources import Source, Value, as_text, open_source, run
from tasks.store.duckdb import quoted

_OURS = {column for name in schema.REQUIRED for column in (*schema.REQUIRED[name], *schema.OPTIONAL[name])}
_NOTHING = Value("CAST(NULL AS VARCHAR)", "VARCHAR")


@dataclass
class Table:
    """A table before it is read.

    `maps`: file → our columns and the site's names for them; `optional`: those of our optional columns that some
    file has; `others`: the site's own columns → type; `reading`: of its timestamps, if it has any.
    """

    name: str
    given: TableInput
    sources: list[Source]
    maps: dict[Path, dict[str, str]]
    optional: list[str]
    others: dict[str, str]
    reading: timestamps.Reading | None
    notes: list[str]

    @property
    def strict(self) -> bool:
        """Whether an id written as a string is one: so in the interactions, and the other tables follow them."""
        return self.name == "interactions"


def open_table(
    db: duckdb.DuckDBPyConnection, name: str, given: TableInput, copies: Path, uneven: Collection[Path]
) -> Table:
    """Finds a table's files, columns and types. `uneven`: files that are read by way of a copy in `copies`.

    Raises:
        ConfigError: files are missing.
        DataRefused: files are empty, or columns are missing.
    """
    files = resolve(name, given)
    wanted = {site for ours in (*schema.REQUIRED[name], *schema.OPTIONAL[name]) for site in schema.names(given, ours)}
    opened = {file: open_source(db, file, given, wanted, copies, copied=file in uneven) for file in files}
    sources = [source for source in opened.values() if source]
    if not sources:
        raise DataRefused(f"{name}: {files[0]} is empty; give a file with rows.")
    maps = {source.path: schema.mapping(name, given, source) for source in sources}
    optional = [ours for ours in schema.OPTIONAL[name] if any(ours in mapped for mapped in maps.values())]
    notes = [f"{name}: {file} is empty" for file, source in opened.items() if source is None]
    others = _other_types(db, name, sources, maps, notes)
    reading = _reading(db, given, sources, maps) if any("timestamp" in mapped for mapped in maps.values()) else None
    return Table(name, given, sources, maps, optional, others, reading, notes)


def _other_types(
    db: duckdb.DuckDBPyConnection,
    name: str,
    sources: Sequence[Source],
    maps: Mapping[Path, Mapping[str, str]],
    notes: list[str],
) -> dict[str, str]:
    if name not in schema.OPEN:
        return {}
    found: dict[str, list[str | None]] = defaultdict(list)
    for source in sources:
        mapped = maps[source.path]
        named = {theirs: ours for ours, theirs in mapped.items() if ours not in _OURS}
        own = schema.other_columns(mapped, source)
        for theirs, kind in schema.survey(db, source, [*named, *own]).items():
            found[named.get(theirs, theirs)].append(kind)
        notes += [
            f"{name}: the column '{column}' of {source.path.name} is left out, since its name is taken"
            for column in source.columns
            if column not in mapped.values() and column not in own
        ]
    return {column: schema.common_type(kinds) for column, kinds in found.items()}


def _reading(
    db: duckdb.DuckDBPyConnection,
    given: TableInput,
    sources: Sequence[Source],
    maps: Mapping[Path, Mapping[str, str]],
) -> timestamps.Reading:
    """How the timestamps of a table are written, by the first file that has some."""
    for source in sources:
        if column := maps[source.path].get("timestamp"):
            text = f"SELECT {as_text(source.value(column))} AS t FROM {source.relation()}"
            if found := run(db, f"SELECT t FROM ({text}) WHERE t IS NOT NULL LIMIT 1000", source.path):
                return timestamps.reading([str(row[0]) for row in found], given.timestamp_unit)
    return timestamps.reading([], given.timestamp_unit)


def query(table: Table, source: Source, id_types: Mapping[str, str]) -> str:
    """The table's columns of a file as SQL, its ids of those types.

    Timestamps are microseconds. Columns whose names end in `?` check what is taken for granted: `user_id?` has the
    ids that are no integers, `available?` the texts that are neither yes nor no, `line?` the lines of a JSON file
    that are no object; `object?` says whether a line is one.
    """
    mapped = {ours: source.value(theirs) for ours, theirs in table.maps[source.path].items()}
    parsed: dict[str, str] = {}  # computed first and once; the columns refer to them as "name!"
    columns: dict[str, str] = {}
    for key, target in id_types.items():
        parsed[key], integer = ids.integer(mapped[key], strict=table.strict), quoted(f"{key}!")
        columns[key] = integer if target == ids.INTEGER else ids.text(mapped[key], integer)
        columns[f"{key}?"] = ids.odd(mapped[key], integer, strict=table.strict)
    if table.reading:
        parsed["timestamp"] = timestamps.micros(mapped.get("timestamp", _NOTHING), table.reading, where(table, source))
    for ours in (*schema.REQUIRED[table.name], *table.optional):
        value = mapped.get(ours, _NOTHING)
        if ours == "rating":
            parsed[ours] = schema.number(value)
        elif ours in schema.FLAGS:
            parsed[ours] = schema.flag(value)
        elif ours not in parsed:
            columns[ours] = as_text(value)
        if ours not in columns:
            unread = f"{ours}?" if ours in schema.FLAGS else f"{ours}_text"
            columns[ours] = quoted(f"{ours}!")
            columns[unread] = f"CASE WHEN {quoted(f'{ours}!')} IS NULL THEN {as_text(value)} END"
    for column, kind in table.others.items():
        theirs = table.maps[source.path].get(column, column)
        columns[column] = schema.cast(source.value(theirs) if theirs in source.columns else _NOTHING, kind)
    if source.format == "jsonl":
        columns |= {"line?": "CASE WHEN v IS NULL THEN line END", "object?": "v IS NOT NULL"}
    inner = ", ".join(["*", *(f"{sql} AS {quoted(f'{name}!')}" for name, sql in parsed.items())])
    outer = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return f"SELECT {outer} FROM (SELECT {inner} FROM {source.relation()})"


def where(table: Table, source: Source, ours: str = "timestamp") -> str:
    """Table, file and column, for a message."""
    return f"{table.name}: {source.path}, column '{table.maps[source.path].get(ours, ours)}'"
