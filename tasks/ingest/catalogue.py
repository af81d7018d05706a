"""The catalogue as it is now, between two nights: which of its items can be had at an instant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading import ids, timestamps
from tasks.ingest.reading.files import is_elsewhere
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.tables import open_table
from tasks.ingest.table_parts import TableParts
from tasks.ingest.table_pass import Shared
from tasks.store.duckdb import connect


def items_now(given: TableInput, now: datetime, *, whole_numbers: bool, max_refused: float) -> pa.Table:
    """`item_id` and whether it is `there` of each item of a table, a row an item.

    Args:
        given: the items, as a night reads them.
        now: aware; items that come later, or have gone by then, are not there.
        whole_numbers: the ids are int64, unless one of them is not a whole number; else they are text.
        max_refused: the greatest share of lines that may be no rows.

    Raises:
        ConfigError: files are missing.
        DataRefused: they cannot be used, or too many lines are no rows: their items would be taken for gone.
    """
    with TemporaryDirectory(prefix="nightrec-items-") as folder:
        here = land_table("items", given, Path(folder) / "landed")[0] if is_elsewhere("items", given) else given
        table = _read(here, Path(folder), whole_numbers, max_refused)
    there = np.ones(len(table), np.bool_)
    at = pa.scalar(now, pa.timestamp("us", "UTC"))
    columns = set(table.column_names)
    if "available" in columns:
        there &= pc.fill_null(table["available"], True).to_numpy()
    for column, holds in ("available_from", pc.less_equal), ("available_until", pc.greater):
        if column in columns:
            there &= pc.fill_null(holds(table[column], at), True).to_numpy()
    one = pa.table({"item_id": table["item_id"], "there": pa.array(there)}).filter(pc.is_valid(table["item_id"]))
    # Of an id that stands in several rows, none may say that it is not there, as in a night.
    return one.group_by("item_id").aggregate([("there", "all")]).rename_columns(["item_id", "there"])


def _read(given: TableInput, folder: Path, whole_numbers: bool, max_refused: float) -> pa.Table:
    kinds = [ids.INTEGER, ids.STRING] if whole_numbers else [ids.STRING]
    with connect(folder, None, None) as db, ThreadPoolExecutor(1) as counting:
        shared = Shared(db, counting, folder, np.iinfo(np.int64).max, timestamps.CREDIBLE)
        for kind in kinds:
            one = TableParts(shared, open_table(db, "items", given, folder, ()), {"item_id": kind})
            if not one.run():
                break
        lost, read = len(one.result.rejects), one.result.rows
        if lost > max_refused * (lost + read):
            raise DataRefused(
                f"items: {lost:,} of {lost + read:,} lines of {given.place} are no rows, and their items would be "
                "taken for gone: `nightrec inspect` shows what is wrong with them."
            )
        wanted = ("item_id", "available", "available_from", "available_until")
        path = folder / "items.parquet"
        there = [name for name in pq.read_schema(path).names if name in wanted]
        return pq.read_table(path, columns=there)
