"""Writing a Parquet file batch by batch, in row groups that fit in memory one at a time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 1 << 20  # rows


class Sink:
    """A Parquet file in the making: collects tables of one schema into row groups. Closing it completes the file.

    A dictionary column is read back as its values' type.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, 0
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._held:
            self._flush()
        if self._writer:
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        self._held.append(table)
        self._held_rows += len(table)
        self.rows += len(table)
        if self._held_rows >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        table = pa.concat_tables(self._held)
        if self._writer is None:
            # Deltas suit ids, times and row numbers: a third of plain int64, and quicker than compressing that.
            deltas = [f.name for f in table.schema if pa.types.is_int64(f.type) or pa.types.is_timestamp(f.type)]
            self._writer = pq.ParquetWriter(
                self.path,
                table.schema,
                compression="snappy",
                use_dictionary=[name for name in table.schema.names if name not in deltas],
                column_encoding=dict.fromkeys(deltas, "DELTA_BINARY_PACKED"),
                store_schema=False,  # so that dictionaries are read as the values they are
            )
        if len(table) or not self.rows:
            self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._held, self._held_rows = [], 0
