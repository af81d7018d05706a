"""The files of `features/prepared/`: interactions range after range, and the index of users and items."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Longs
from tasks.prepare.interactions import Rows

BOOKKEEPING = ("source_file", "source_row", "opted_out")
WHOLE_NUMBERS = "DELTA_BINARY_PACKED"  # how columns of them are written
LONGEST = 2**30  # bytes of texts in one array, which has room for twice as many
ROWS_A_GROUP = 128_000  # so that one user is found without reading all


def write_rows(path: Path, ranges: Iterable[Rows], split_end: int, *, began: bool) -> None:
    """The rows of some ranges, in row groups that do not know where one range ends.

    Args:
        path: the file.
        ranges: at least one.
        split_end: µs since 1970, UTC.
        began: whether any pair was repeated, so that it is to be said when each began.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer, left, n = None, None, 0
    with ExitStack() as opened:
        for rows in ranges:
            table = _as_table(rows, split_end, began=began)
            if writer is None or left is None:
                writer, left = opened.enter_context(_writer(path, table.schema)), table.slice(0, 0)
            n += len(rows)
            left = _written(writer, left, table)
        if writer is not None and left is not None and (left.num_rows or not n):
            writer.write_table(left, row_group_size=ROWS_A_GROUP)


def write_changes(path: Path, rows: Rows, nth: Longs, split_end: int, *, began: bool) -> None:
    """Rows that are added to those of a base, with their places among those of their users (`recmodels.data.pairs`)."""
    table = _as_table(rows, split_end, began=began)
    table = table.append_column("nth", pa.array(nth, pa.int32()))
    with _writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=ROWS_A_GROUP)


def _written(writer: pq.ParquetWriter, left: pa.Table, table: pa.Table) -> pa.Table:
    """Write whole row groups of what was left over and of a table; what is left over then."""
    if left.num_rows:
        missing = ROWS_A_GROUP - left.num_rows
        left, table = pa.concat_tables([left, table.slice(0, missing)]).combine_chunks(), table.slice(missing)
        if left.num_rows < ROWS_A_GROUP:
            return left
        writer.write_table(left, row_group_size=ROWS_A_GROUP)
    whole = table.num_rows // ROWS_A_GROUP * ROWS_A_GROUP
    if whole:
        writer.write_table(table.slice(0, whole), row_group_size=ROWS_A_GROUP)
    return pa.concat_tables([table.slice(whole)]).combine_chunks()  # a copy, so that the others' memory is free


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    whole_numbers = [
        name for name in ("user_index", "item_index", "timestamp", layout.FIRST, "nth") if name in schema.names
    ]
    return pq.ParquetWriter(
        path,
        schema,
        use_dictionary=["weight", "rating"],
        column_encoding=dict.fromkeys(whole_numbers, WHOLE_NUMBERS),
        compression="none",  # takes longer to write and to read, and makes nothing smaller
    )


def _as_table(rows: Rows, split_end: int, *, began: bool) -> pa.Table:
    columns: dict[str, Any] = {
        "user_index": rows.user,
        "item_index": rows.item,
        "timestamp": pa.array(rows.timestamp, pa.timestamp("us", "UTC")),
        "weight": rows.weight,
    }
    if rows.rating is not None:
        columns["rating"] = rows.rating
    if began:
        columns[layout.FIRST] = pa.array(rows.first, pa.timestamp("us", "UTC"))
    return pa.table(columns).replace_schema_metadata({layout.SPLIT_END: str(split_end)})


def write_index(path: Path, kind: str, ids: pa.Array, source: Path, day: datetime | None = None) -> None:
    """`<kind>_index`, `<kind>_id` and the site's own columns (null for ids that the site's table lacks).

    An item is `available` unless its row says otherwise, or it is not yet or no longer at the beginning of the `day`.
    """
    columns = {f"{kind}_index": pa.array(np.arange(len(ids), dtype=np.int32)), f"{kind}_id": ids}
    if source.exists():
        table = pq.read_table(source)
        rows = pc.index_in(ids, value_set=table[f"{kind}_id"].combine_chunks())
        for name in table.column_names:
            if name not in (*BOOKKEEPING, f"{kind}_id"):
                columns[name] = _taken(table[name], rows)
    if kind == "item":
        available = columns.get("available", pa.nulls(len(ids), pa.bool_()))
        columns["available"] = pc.and_(pc.fill_null(available, True), _within_its_time(columns, day))
    pq.write_table(pa.table(columns), path, row_group_size=ROWS_A_GROUP)


def _taken(column: pa.ChunkedArray, rows: pa.Array) -> pa.Array | pa.ChunkedArray:
    """Some rows of a column; of texts that no one array could hold a chunk for every `LONGEST` bytes or so."""
    if not pa.types.is_string(column.type) or column.nbytes <= LONGEST:
        return column.combine_chunks().take(rows)
    whole, each = column.cast(pa.large_string()).combine_chunks(), max(1, len(rows) * LONGEST // column.nbytes)
    parts = (rows.slice(begin, each) for begin in range(0, len(rows), each))
    return pa.chunked_array([whole.take(part).cast(pa.string()) for part in parts], pa.string())


def _within_its_time(columns: Mapping[str, pa.Array], day: datetime | None) -> pa.Scalar | pa.Array:
    """Which items have come by an instant and have not gone; those of which nothing is said have."""
    there: pa.Scalar | pa.Array = pa.scalar(True)
    for name, is_there in ("available_from", pc.less_equal), ("available_until", pc.greater):
        if day is not None and name in columns and pa.types.is_timestamp(columns[name].type):
            at = columns[name].cast(pa.timestamp("us", "UTC"))
            there = pc.and_(there, pc.fill_null(is_there(at, pa.scalar(day, at.type)), True))
    return there
