"""Writing a Parquet file batch by batch, in row groups that fit in memory one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.ingest.reading.rejects import actual_lines
from tasks.store.row_groups import writer

ROW_GROUP = 1 << 20  # rows
BATCH = 60 * 2048  # rows that are read at a time


MANY = 1 << 17  # rows that are worth a thread


class Beside:
    """A thread that writes row groups while the next are read: one at a time, so that two at most are held."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def do(self, work: Callable[[], None]) -> None:
        """Do some work once what was begun before is done."""
        self.wait()
        self._last = self._thread.submit(work)

    def wait(self) -> None:
        """Wait for what was begun last, and raise what it raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


class Sink:
    """A Parquet file in the making: collects tables of one schema into row groups. Closing it completes the file.

    A dictionary column is read back as its values' type. `beside`: where many rows are written; such a file is complete
    once that has been waited for.
    """

    def __init__(self, path: Path, beside: Beside | None = None) -> None:
        self.path, self.rows = path, 0
        self._beside = beside
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._held = []
        self._flush(last=True)

    def write(self, table: pa.Table) -> None:
        self._held.append(table)
        self._held_rows += len(table)
        self.rows += len(table)
        if self._held_rows >= ROW_GROUP:
            self._flush()

    def _flush(self, *, last: bool = False) -> None:
        write = partial(self._write, self._held, last)
        self._held, self._held_rows = [], 0
        if self._beside is not None and self.rows >= MANY:
            self._beside.do(write)
        else:
            write()

    def _write(self, held: list[pa.Table], last: bool) -> None:
        """Write a row group; the `last` one completes the file."""
        if held:
            table = pa.concat_tables(held)
            if self._writer is None:
                # Without the schema dictionaries are read as the values they are.
                self._writer = writer(self.path, table.schema, store_schema=False)
            if len(table) or not self.rows:
                self._writer.write_table(table, row_group_size=ROW_GROUP)
        if last and self._writer is not None:
            self._writer.close()


def renumber(path: Path, holes: Mapping[Path, tuple[int, NDArray[np.int64]]]) -> None:
    """Correct `source_row` of a table of whose files some have lines that are no rows."""
    new = path.with_suffix(".renumbered")
    with Sink(new) as sink:
        for batch in pq.ParquetFile(path, read_dictionary=["source_file"]).iter_batches(BATCH):
            origin, rows = batch["source_file"], batch["source_row"].to_numpy().copy()
            codes = origin.indices.to_numpy()
            for code, file in enumerate(origin.dictionary.to_pylist()):
                if of_file := holes.get(Path(file)):
                    rows[codes == code] = actual_lines(rows[codes == code], *of_file)
            place = batch.schema.get_field_index("source_row")
            sink.write(pa.Table.from_batches([batch]).set_column(place, "source_row", pa.array(rows)))
    new.replace(path)
