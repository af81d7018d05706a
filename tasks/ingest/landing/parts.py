"""Rows as they come, in Parquet files of a folder: a bounded part at a time, whose name tells what it holds.

A part that holds what one of the same place held before has the same name, and that file stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.store.files import TEMPORARY, replaced, sha256

ROW_GROUP, PART = 1 << 17, 1 << 22  # rows
RECENT = "recent"
_STORAGE = pa.BaseExtensionType


class Parts:
    """Files of a folder that are written in a `with` block; `files` has those that are complete, by name.

    Args:
        folder: where they are written.
        schema: of the rows.
        kind: what their names begin with; those of `RECENT` come after others.
        first: the number of the first.
        empty: whether there is a file even if there are no rows.
    """

    def __init__(
        self, folder: Path, schema: pa.Schema, kind: str = "part", first: int = 0, *, empty: bool = True
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.kind, self.next, self.empty = folder, kind, first, empty
        self.schema = pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])
        self.files: list[str] = []
        self.rows = 0
        self._waiting: list[pa.RecordBatch] = []
        self._writer: pq.ParquetWriter | None = None
        self._in_part = 0

    @property
    def _temporary(self) -> Path:
        return self.folder / f"{TEMPORARY}{self.kind}-{self.next:05}"

    def add(self, batch: pa.RecordBatch) -> None:
        """Write some rows, or keep them until there are enough for a row group."""
        if not batch.num_rows:
            return
        columns = [_stored(column, field.type) for column, field in zip(batch.columns, self.schema, strict=True)]
        self._waiting.append(pa.RecordBatch.from_arrays(columns, schema=self.schema))
        self.rows += batch.num_rows
        if sum(one.num_rows for one in self._waiting) >= ROW_GROUP:
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        """Write what is left; where something has failed, nothing half-written stays."""
        if error is None:
            if self._waiting or (self.empty and not self.files and self._writer is None):
                self._write()
            self._end_part()
        elif self._writer is not None:
            self._writer.close()
            self._temporary.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._temporary, self.schema, compression="zstd")
        table = pa.Table.from_batches(self._waiting, self.schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._in_part += table.num_rows
        self._waiting = []
        if self._in_part >= PART:
            self._end_part()

    def _end_part(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer, self._in_part = None, 0
        path = self.folder / f"{self.kind}-{self.next:05}-{sha256(self._temporary)[:12]}.parquet"
        if path.exists():
            self._temporary.unlink()
        else:
            with replaced(path) as out:
                self._temporary.rename(out)
        self.files.append(path.name)
        self.next += 1


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type as Parquet has it: what a driver calls its own is stored as what it consists of."""
    return kind.storage_type if isinstance(kind, _STORAGE) else kind


def _stored(column: pa.Array, kind: pa.DataType) -> pa.Array:
    plain = column.storage if isinstance(column.type, _STORAGE) else column
    return plain if plain.type == kind else plain.cast(kind)
