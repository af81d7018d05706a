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
    parts = Parts(export / "listed", ROWS_A_GROUP)
    parts.write(listed_table(topk or sorted((export / "topk").glob("*.parquet")), run_date))
    parts.close()


def listed_table(topk: Sequence[Path], run_date: date) -> pa.Table:
    """A row for each item that is in a list, in the order of the items; `topk` are the files of the lists, in order."""
    start, found = 0, []
    for path in topk:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["item_id", "rank"]):
                rows = pa.table(batch).append_column("row", pa.array(np.arange(start, start + len(batch))))
                measures = [("rank", "count"), ("rank", "sum"), ("row", "min"), ("row", "max")]
                found.append(rows.group_by("item_id").aggregate(measures))
                start += len(batch)
    item_type = pq.read_schema(topk[0]).field("item_id").type
    schema = arrow_schema("listed", pa.string(), item_type)
    if not found:
        return schema.empty_table()
    table = pa.concat_tables(found).group_by("item_id").aggregate(list(SUMS.items())).sort_by("item_id")
    lists, ranks = table["rank_count_sum"], table["rank_sum_sum"]
    return pa.table(
        {
            "run_date": same_date(run_date, len(table)),
            "item_id": table["item_id"],
            "lists": lists,
            "mean_rank": pc.divide(pc.cast(ranks, pa.float64()), lists),
            "first_row": table["row_min_min"],
            "last_row": table["row_max_max"],
        }
    ).cast(schema)
