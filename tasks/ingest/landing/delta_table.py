"""Delta Lake tables: the version that a night reads, and its rows where they are not simply those of its files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tasks.ingest.landing import landed as store
from tasks.ingest.landing import pushdown
from tasks.ingest.landing.landed import Landed
from tasks.ingest.reading import delta
from tasks.ingest.reading.addresses import without_user
from tasks.ingest.reading.inputs import TableInput

if TYPE_CHECKING:
    from deltalake import DeltaTable


def land(
    name: str, table: TableInput, folder: Path, cutoff: datetime | None, before: Landed | None, done: Landed | None
) -> tuple[TableInput, str]:
    """Settle which version of a table is read: the files of that version are read where they lie.

    Where rows were deleted by marks beside the files, or columns renamed, and where the table is on an object store,
    the rows are read into a folder.

    Args:
        name: of the table.
        table: where it is.
        folder: for what is read.
        cutoff: the night's; of interactions and tags that are read here, rows at or after it are not.
        before: what was read into the folder, if it is there.
        done: that, if the night goes on with it.

    Returns:
        The table with its version, or with the folder that has its rows; and a note.

    Raises:
        ConfigError: there is no such table or version.
    """
    remote = "://" in table.path
    as_of = table.as_of if table.as_of is not None or done is None else done.version
    opened = _opened(name, table, as_of)
    version = opened.version()
    note = f"{name}: version {version} of the Delta table '{without_user(table.path)}'"
    if not remote and delta.is_plain(opened):
        folder.mkdir(parents=True, exist_ok=True)
        store.keep(folder, Landed(store.source_of(table), str(cutoff), 0, [], version))
        return table.model_copy(update={"as_of": version}), note

    def read() -> store.Rows:
        there = pa.schema(opened.schema().to_arrow())
        end = pushdown.before(name, table, there, cutoff)
        columns = pushdown.needed(name, table, there.names)
        reader = pa.RecordBatchReader.from_stream(opened.scan(columns, None if end is None else _condition(end)))
        return reader.schema, iter(reader)

    rows = pa.table(opened.get_add_actions(flatten=True))["num_records"]
    every = None if rows.null_count else pc.sum(rows).as_py()
    store.once(name, folder, store.source_of(table), cutoff, version, before, read, every)
    files = table.model_copy(update={"path": str(folder), "as_of": None})
    return files, f"{note}, whose rows were read into {folder}"


def rows(name: str, table: TableInput) -> pa.RecordBatchReader:
    """All rows and columns of a version of a table, as a stream."""
    return pa.RecordBatchReader.from_stream(_opened(name, table).scan())


def columns(name: str, table: TableInput) -> list[str]:
    """The names of the columns of a version of a table."""
    return [field.name for field in _opened(name, table).schema().fields]


def _opened(name: str, table: TableInput, as_of: int | None = None) -> DeltaTable:
    where = table.path.partition("?")[0] if "://" in table.path else table.path
    return delta.opened(where, table.as_of if as_of is None else as_of, name)


def _condition(end: pushdown.Before) -> str:
    """The rows before an instant, in the SQL of Delta's own engine."""
    column, kind = '"' + end.column.replace('"', '""') + '"', "Date32"
    if pa.types.is_timestamp(end.type):
        kind = "Timestamp(Microsecond, None)" if end.type.tz is None else 'Timestamp(Microsecond, Some("UTC"))'
    return f"{column} < arrow_cast('{end.day.isoformat()}', '{kind}') OR {column} IS NULL"
