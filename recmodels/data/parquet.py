"""Columns of Parquet files as arrays of numpy, and back, without pandas.

pyarrow imports pandas as soon as it converts anything from or to numpy, or reads a file as a dataset: more CPU time
than most models need for a small site. Arrays of numbers are shared with numpy instead, as neither of them copies.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Columns of numbers, booleans and times of a file, by name; times in microseconds since 1970 (UTC), int64."""
    with pq.ParquetFile(path) as file:  # one after the other: only one is there twice
        return {name: as_numpy(file.read([name])[name]) for name in names}


def read_rows(path: Path, names: Sequence[str], key: str, wanted: Array) -> dict[str, Array]:
    """As `read_columns`, of the rows alone whose `key` is one of some integers.

    Args:
        path: of a file that is sorted by `key`; of its row groups only those are read where one may be.
        names: of the columns.
        key: a column without nulls.
        wanted: ascending, [n].
    """
    with pq.ParquetFile(path) as file:
        held = [_rows_of(file, group, names, key, wanted) for group in _groups_of(file.metadata, key, wanted)]
        none = file.schema_arrow.empty_table()
    return {
        name: np.concatenate([rows[name] for rows in held]) if held else as_numpy(none[name].combine_chunks())
        for name in names
    }


def _groups_of(about: pq.FileMetaData, key: str, wanted: Array) -> list[int]:
    """The row groups that may have some of the wanted values."""
    if not len(wanted):
        return []
    column = next(n for n in range(about.num_columns) if about.schema.column(n).name == key)
    statistics = [about.row_group(group).column(column).statistics for group in range(about.num_row_groups)]
    return [
        group
        for group, found in enumerate(statistics)
        if found is None or not found.has_min_max or (found.max >= wanted[0] and found.min <= wanted[-1])
    ]


def _rows_of(file: pq.ParquetFile, group: int, names: Sequence[str], key: str, wanted: Array) -> dict[str, Array]:
    """The wanted rows of a row group."""
    keys = as_numpy(file.read_row_group(group, [key])[key])
    places = np.searchsorted(wanted, keys)
    rows = np.flatnonzero(wanted[np.minimum(places, len(wanted) - 1)] == keys)
    return {name: as_numpy(file.read_row_group(group, [name])[name])[rows] for name in names}


def read_table(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """A file, or the columns of these names, in their order."""
    with pq.ParquetFile(path) as file:
        table = file.read(names)
    return table if names is None else table.select(names)


def as_numpy(column: pa.ChunkedArray | pa.Array) -> Array:
    """A column of numbers, booleans or times, NaN where a number is missing; memory is shared where it can be."""
    if pa.types.is_timestamp(column.type) and column.type.unit != "us":
        column = column.cast(pa.timestamp("us", tz="UTC"))
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    arrays = [_shared(chunk) for chunk in chunks]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def arrow_table(columns: Mapping[str, Array], schema: pa.Schema | None = None) -> pa.Table:
    """Arrays [n] of numbers and booleans as a table."""
    arrays = {name: _as_arrow(array) for name, array in columns.items()}
    return pa.table(arrays, schema=schema)


def _shared(chunk: pa.Array) -> Array:
    if chunk.null_count:
        filled = pa.Array.from_buffers(chunk.type, len(chunk), [None, chunk.buffers()[1]], offset=chunk.offset)
        return np.where(_shared(chunk.is_valid()), _shared(filled), np.nan)
    if pa.types.is_boolean(chunk.type):  # eight in a byte
        end = chunk.offset + len(chunk)
        bits = np.frombuffer(chunk.buffers()[1] or b"", np.uint8)
        return np.unpackbits(bits, count=end, bitorder="little")[chunk.offset :].view(np.bool_)
    return np.from_dlpack(chunk.view(pa.int64()) if pa.types.is_timestamp(chunk.type) else chunk)


def _as_arrow(array: Array) -> pa.Array:
    bits = np.packbits(array, bitorder="little") if array.dtype == np.bool_ else np.ascontiguousarray(array)
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), [None, pa.py_buffer(bits)])
