"""Parquet files of an object store: what a night needs of one is fetched, and is a file here.

The columns that no night uses stay there, and so do row groups that begin at the cutoff or later, by their statistics.
Where a file has a type that would not come out the same, it is copied as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from tasks.ingest.landing import pushdown
from tasks.ingest.reading import schema
from tasks.ingest.reading.inputs import TableInput
from tasks.store.files import replaced

_OF = b"nightrec.part_of"
_SAME = frozenset(("NONE", "STRING", "INT", "TIMESTAMP", "DATE", "DECIMAL", "LIST"))  # logical types
ROWS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Wanted:
    """What a night reads of a table."""

    name: str
    table: TableInput
    cutoff: datetime | None

    def is_here(self, info: pafs.FileInfo, path: Path) -> bool:
        """Whether a file of this machine is the part of that one which is wanted."""
        if info.mtime_ns is None:
            return False
        try:
            told = pq.read_schema(path).metadata or {}
        except (pa.ArrowException, OSError):
            return False
        return told.get(_OF) in (_made_of(info, None), _made_of(info, self.cutoff))

    def part(self, files: pafs.FileSystem, info: pafs.FileInfo, partition: Sequence[str], path: Path) -> bool:
        """Fetch what is needed of a file; False, and nothing fetched, where all of it is.

        Args:
            files: where it is.
            info: the file there.
            partition: columns that its folders give.
            path: where it goes.
        """
        with files.open_input_file(info.path) as there:
            file = pq.ParquetFile(there)
            columns = self.columns(file, partition)
            groups = self.groups(file)
            if columns is None or (len(columns) == len(file.schema_arrow.names) and len(groups) == file.num_row_groups):
                return False
            cut = self.cutoff if len(groups) < file.num_row_groups else None
            kinds = pa.schema([file.schema_arrow.field(name) for name in columns])
            with (
                replaced(path) as out,
                pq.ParquetWriter(out, kinds.with_metadata({_OF: _made_of(info, cut)}), compression="zstd") as writer,
            ):
                for group in groups:
                    for batch in file.iter_batches(ROWS_AT_ONCE, [group], columns):
                        writer.write_batch(batch.select(columns), row_group_size=ROWS_AT_ONCE)
        return True

    def columns(self, file: pq.ParquetFile, partition: Sequence[str]) -> list[str] | None:
        """The columns that are needed; None for all, as where the reader has to say that one is missing."""
        there = file.schema_arrow.names
        try:
            schema.refuse_missing(self.name, self.table, [*there, *partition], "")
        except DataRefused:
            return None
        columns = pushdown.found(self.name, self.table, there)
        leaves = (file.schema.column(n) for n in range(len(file.schema)))
        odd = any(
            leaf.path.split(".")[0] in columns
            and (leaf.logical_type.type not in _SAME or leaf.physical_type == "INT96")
            for leaf in leaves
        )
        return None if odd or not columns else columns

    def groups(self, file: pq.ParquetFile) -> list[int]:
        """The row groups that may have rows before the cutoff, or some without a time."""
        groups = range(file.num_row_groups)
        end = pushdown.before(self.name, self.table, file.schema_arrow, self.cutoff)
        if end is None:
            return list(groups)
        place = [file.schema.column(n).path for n in range(len(file.schema))].index(end.column)
        told = {group: file.metadata.row_group(group).column(place).statistics for group in groups}
        late = {
            group
            for group, of in told.items()
            if of is not None and of.has_min_max and of.has_null_count and not of.null_count and of.min >= end.day
        }
        return [group for group in groups if group not in late]


def _made_of(info: pafs.FileInfo, cut: datetime | None) -> bytes:
    """What a part says of the file that it is of: its size and age, and the cutoff, where rows after it were left."""
    return f"{info.size} {info.mtime_ns} {cut}".encode()
