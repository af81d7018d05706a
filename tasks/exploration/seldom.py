"""Which items were seldom shown: by the log of what was shown or, where there is none, by the lists of last exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools, Longs
from tasks.exploration.learned import DAYS, logs
from tasks.store.events import log_event
from tasks.store.ids import age_order
from tasks.store.paths import Night

EXPORTS = 7  # of the last nights


def seldom_shown(night: Night, enough: int) -> Bools:
    """The items that were shown less often than is enough: bool [n_items]."""
    item_ids = pq.read_table(night.prepared / layout.ITEMS, columns=["item_id"])["item_id"].combine_chunks()
    counts = np.zeros(len(item_ids), np.int64)
    if paths := logs(night, DAYS):
        for path in paths:
            if (rows := _read(path, ["item_id"])) is not None:
                shown = pc.value_counts(rows["item_id"].combine_chunks())
                _add(counts, item_ids, shown.field("values"), shown.field("counts"))
    else:
        before = [name for name in night.store.export_ids() if age_order(name)[0] < str(night.run_date)]
        for name in before[-EXPORTS:]:
            for path in sorted((night.store.export(name) / "listed").glob("*.parquet")):
                if (rows := _read(path, ["item_id", "lists"])) is not None:
                    _add(counts, item_ids, rows["item_id"], rows["lists"])
    return counts < enough


def _read(path: Path, columns: list[str]) -> pa.Table | None:
    """Columns of a file; None, and a note, where it is damaged."""
    try:
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException):
        log_event("exploration", "note", f"{path} is damaged, and what it says was shown is not counted")
        return None


def _add(counts: Longs, item_ids: pa.Array, items: pa.Array, n: pa.Array) -> None:
    """Add to the counts of some items; those that the night does not know are passed over."""
    if items.type != item_ids.type:  # the site has changed its ids
        items, item_ids = items.cast(pa.string()), item_ids.cast(pa.string())
    place = pc.index_in(items, value_set=item_ids)
    there = place.is_valid()
    np.add.at(counts, place.filter(there).to_numpy(), n.filter(there).to_numpy())
