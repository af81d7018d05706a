"""Rows as files that processes map into memory: Arrow's, uncompressed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from recmodels.data.parquet import as_numpy
from tasks.prepare.interactions import Rows, all_of


def write_file(path: Path, rows: Rows) -> None:
    """Write all columns; `first` only where it is not the timestamp."""
    columns = {"user": rows.user, "item": rows.item, "timestamp": rows.timestamp, "weight": rows.weight}
    if rows.first is not rows.timestamp:
        columns["first"] = rows.first
    if rows.rating is not None:
        columns["rating"] = rows.rating
    batch = pa.record_batch({name: pa.array(np.ascontiguousarray(column)) for name, column in columns.items()})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def read_file(path: Path) -> Rows:
    """The rows, on the disk: they cannot be written to."""
    with pa.memory_map(str(path)) as file:
        batch = pa.ipc.open_file(file).get_batch(0)
    columns = {name: as_numpy(batch[name]) for name in batch.schema.names}
    return Rows(
        user=columns["user"],
        item=columns["item"],
        timestamp=columns["timestamp"],
        first=columns.get("first", columns["timestamp"]),
        weight=columns["weight"],
        rating=columns.get("rating"),
    )


def read_files(paths: Sequence[Path]) -> Rows:
    """The rows of some files, one after the other."""
    return all_of([read_file(path) for path in paths])
