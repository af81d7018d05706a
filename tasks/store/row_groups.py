"""Parquet files whose row groups have the same rows whatever pieces these come in: what is alike is so to the byte."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


class RowGroups:
    """A Parquet file in the making. Closing it completes the file.

    Attributes:
        path: of the file.
        schema: of its rows.
        size: rows of each row group but the last.
    """

    def __init__(self, path: Path, schema: pa.Schema, size: int) -> None:
        self.path, self.schema, self.size = path, schema, size
        self._writer = pq.ParquetWriter(path, schema)
        self._held: list[pa.Table] = []
        self._n_held = 0

    def __enter__(self) -> RowGroups:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(complete=kind is None)

    def write(self, rows: pa.Table) -> None:
        """Add rows, whose columns are those of the schema."""
        left = rows
        while self._n_held + len(left) >= self.size:
            self._held.append(left.slice(0, self.size - self._n_held))
            left = left.slice(self.size - self._n_held)
            self._flush()
        if len(left):
            self._held.append(left)
            self._n_held += len(left)

    def close(self, *, complete: bool = True) -> None:
        """Write what is held, unless the file is given up."""
        if complete and self._held:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(pa.concat_tables(self._held).combine_chunks(), row_group_size=self.size)
        self._held, self._n_held = [], 0
