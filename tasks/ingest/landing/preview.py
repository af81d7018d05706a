"""The first rows of a table that is no file of this machine, for people who look at it before a night reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

from recmodels.errors import ConfigError
from tasks.ingest.landing import delta_table, iceberg_table, objects
from tasks.ingest.landing import landed as store
from tasks.ingest.landing.databases.database import Refused, in_words
from tasks.ingest.landing.opening import database_of, tables
from tasks.ingest.landing.parts import Parts
from tasks.ingest.landing.statement import described
from tasks.ingest.reading import addresses, iceberg
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.remedies import listed

ROWS, BYTES = 1_000_000, 1 << 29
"""What is looked at: rows of a table, bytes of the files of an object store."""
_NAME = "inspect"


@dataclass(frozen=True)
class Preview:
    """What was read of a table into a folder: all of it, or some. `files`: the folder has the table's own files."""

    table: TableInput
    folder: Path
    whole: bool
    files: bool = False

    @property
    def where(self) -> str:
        """What it is a preview of, for people."""
        return store.source_of(self.table)


def preview(table: TableInput, folder: Path) -> Preview:
    """Read the first rows of a table, all of its columns.

    Raises:
        ConfigError: a driver, a database, a table or a right is missing.
        DataRefused: the rows cannot be read.
        OSError: the place cannot be reached.
    """
    folder.mkdir(parents=True)
    if addresses.scheme(table.path) in addresses.OBJECTS:
        with objects.in_words(_NAME, table.path):
            return _of_objects(table, folder)
    if addresses.is_database(table.path):
        with database_of(_NAME, table) as database:
            source, fields = described(database, _NAME, table)
            columns = ", ".join(database.value(field) for field in fields)
            whole = _kept(*database.stream(f"SELECT {columns} FROM {source} LIMIT {ROWS + 1}"), folder)
    elif iceberg.is_table(table.path):
        with iceberg_table.rows(_NAME, table, ROWS + 1) as reader:
            whole = _kept(reader.schema, iter(reader), folder)
    else:
        whole = _of_delta(table, folder)
    return Preview(table, folder, whole)


def _of_delta(table: TableInput, folder: Path) -> bool:
    reader = delta_table.rows(_NAME, table)
    return _kept(reader.schema, iter(reader), folder)


def _of_objects(table: TableInput, folder: Path) -> Preview:
    there = objects.place(table.path)
    if there.is_delta():
        return Preview(table, folder, _of_delta(table, folder))
    found = there.found()
    if not found:
        raise objects.nothing(_NAME, table.path)
    some = _some(found)
    objects.fetch(there, some, folder)
    return Preview(table, folder, len(some) == len(found), files=True)


def _kept(schema: pa.Schema, batches: Iterator[pa.RecordBatch], folder: Path) -> bool:
    """Write the first rows into a folder; whether there are no more."""
    left = ROWS
    with Parts(folder, schema) as parts:
        for batch in batches:
            parts.add(batch.slice(0, left))
            left -= batch.num_rows
            if left < 0:
                break
    return left >= 0


def _some(found: Mapping[str, pafs.FileInfo]) -> dict[str, pafs.FileInfo]:
    """Of the files of each kind, which differ in digits only, the last, and those before it as far as `BYTES` go."""
    kinds: dict[str, list[str]] = {}
    for name in sorted(found):
        kinds.setdefault(re.sub(r"=[^/]*|\d+", "", name), []).append(name)
    last = [names.pop() for names in kinds.values()]
    room = BYTES - sum(found[name].size or 0 for name in last)
    others = [name for names in kinds.values() for name in reversed(names)]
    ends = accumulate(found[name].size or 0 for name in others)
    some = {*last, *(name for name, end in zip(others, ends, strict=True) if end <= room)}
    return {name: found[name] for name in found if name in some}


def check_table(address: str) -> None:
    """Raise ConfigError where the address of a database names neither a table nor a query: it says what there is."""
    place, own = addresses.split(address)
    if "table" in own or "query" in own:
        return
    shown = addresses.without_user(place)
    try:
        there = listed(tables(place)) or "no tables that this user may see"
    except Refused as refused:
        raise in_words(refused, _NAME, shown, None) from None
    raise ConfigError(f"{shown} has {there}: add ?table=NAME to the address.")
