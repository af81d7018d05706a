"""The published counts of items: in how many lists each is, and where in the files the first and the last of them are.

Who looks for the lists that have an item need not read them all: two row groups are enough for a few of them.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.published.schema import arrow_schema
from tasks.export.writer import Parts, same_date

ROWS_AT_ONCE = 2_000_000
ROWS_A_GROUP = 4_000  # items are looked up one by one, in the exports of many nights
SUMS = {"rank_count": "sum", "rank_sum": "sum", "row_min": "min", "row_max": "max"}


def write_listed(export: Path, run_date: date, topk: Sequence[Path] | None = None) -> None:
    """Write `listed/` in an export's folder, from the files of its lists: those in `topk/`, if none are given."""
    write_table(export, listed_table(topk or sorted((export / "topk").glob("*.parquet")), run_date))


def write_table(export: Path, listed: pa.Table) -> None:
    """Write `listed/` in an export's folder."""
    parts = Parts(export / "listed", ROWS_A_GROUP)
    parts.write(listed)
    parts.close()


def listed_table(topk: Sequence[Path], run_date: date) -> pa.Table:
    """A row for each item that is in a list, in the order of the items; `topk` are the files of the lists, in order."""
    return listed_of([counted_in(topk)], [0], run_date)


def counted_in(topk: Sequence[Path]) -> pa.Table:
    """What is known of each item from some files of lists, in order: lists, ranks, and rows from the first file on."""
    start, found = 0, []
    for path in topk:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["item_id", "rank"]):
                rows = pa.table(batch).append_column("row", pa.array(np.arange(start, start + len(batch))))
                measures = [("rank", "count"), ("rank", "sum"), ("row", "min"), ("row", "max")]
                found.append(rows.group_by("item_id").aggregate(measures))
                start += len(batch)
    item = pq.read_schema(topk[0]).field("item_id")
    nothing = pa.schema([item, *(pa.field(name, pa.int64()) for name in SUMS)]).empty_table()
    return _summed([nothing, *found]).sort_by("item_id")


def listed_of(counted: Sequence[pa.Table], begins: Sequence[int], run_date: date) -> pa.Table:
    """The table of all lists, from what is known of each part of them (`counted_in`), which begins at some row."""
    moved = [
        table.set_column(3, "row_min", pc.add(table["row_min"], begin)).set_column(
            4, "row_max", pc.add(table["row_max"], begin)
        )
        for table, begin in zip(counted, begins, strict=True)
    ]
    table = _summed(moved).sort_by("item_id")
    lists, ranks = table["rank_count"], table["rank_sum"]
    return pa.table(
        {
            "run_date": same_date(run_date, len(table)),
            "item_id": table["item_id"],
            "lists": lists,
            "mean_rank": pc.divide(pc.cast(ranks, pa.float64()), lists),
            "first_row": table["row_min"],
            "last_row": table["row_max"],
        }
    ).cast(arrow_schema("listed", pa.string(), table.schema.field("item_id").type))


def _summed(found: Sequence[pa.Table]) -> pa.Table:
    names = ["item_id", *SUMS]
    tables = [table.select(names) for table in found]
    return pa.concat_tables(tables).group_by("item_id").aggregate(list(SUMS.items())).rename_columns(names)
