"""The audit of an export's other tables, those of items, and of the columns of all tables."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations.errors import ExportRefused
from recmodels.data import layout
from recmodels.data.arrays import Bools
from recmodels.published.schema import contract, differences

ROWS_AT_ONCE = 1_000_000
SIMILAR_COUNTS = ("similar_unknown", "similar_unavailable", "similar_repeats", "similar_ranks")
SIMILAR = ["item_id", "similar_item_id", "rank", "score"]


def check_columns(export: Path, *, older: bool = False) -> None:
    """Raise ExportRefused where a file lacks a column of the contract, or has it in another type.

    An `older` export may lack those that were added since.
    """
    for name in contract()["tables"]:
        for file in sorted((export / name).glob("*.parquet")):
            if found := differences(file, name, older=older):
                raise ExportRefused(f"The export breaks its contract: {'; '.join(found)}.")


def item_tables(export: Path, features: Path, allowed: Bools | None = None) -> dict[str, int]:
    """Counts of what breaks the contract in `similar/` and `popular/`; `allowed` are the items that rules let pass."""
    items = pq.read_table(features / "prepared" / layout.ITEMS, columns=["item_id", "available"])
    available = items["available"].to_numpy()
    offered = items["item_id"].filter(pa.array(available if allowed is None else available & allowed)).combine_chunks()
    similar = sorted((export / "similar").glob("*.parquet"))
    return popular_counts(export, offered) | similar_counts(similar, items["item_id"].combine_chunks(), offered)


def popular_counts(export: Path, offered: pa.Array) -> dict[str, int]:
    """What breaks the contract in `popular/`, of the items that are `offered`."""
    popular = [pq.read_table(file, columns=["item_id"])["item_id"] for file in (export / "popular").glob("*.parquet")]
    return {"popular_unavailable": sum(_not_in(column, offered) for column in popular)}


def similar_counts(files: list[Path], known: pa.Array, offered: pa.Array) -> dict[str, int]:
    """What breaks the contract in files of `similar/`, of the items that are `known` and `offered`."""
    counts = dict.fromkeys(SIMILAR_COUNTS, 0)
    for table in whole_lists(files, SIMILAR):
        item = pc.fill_null(pc.index_in(table["item_id"], value_set=known), -1).to_numpy().astype(np.int64)
        shown = pc.fill_null(pc.index_in(table["similar_item_id"], value_set=known), -1).to_numpy()
        rank, score = table["rank"].to_numpy(), table["score"].to_numpy()
        new = np.ones(len(item), np.bool_)
        new[1:] = item[1:] != item[:-1]
        starts = np.flatnonzero(new)
        place = np.arange(len(item)) - np.repeat(starts, np.diff(starts, append=len(item)))
        key = np.sort(item * len(known) + shown)
        rising = ~new[1:] & ~(score[1:] <= score[:-1])
        counts["similar_unknown"] += int((item < 0).sum())
        counts["similar_unavailable"] += _not_in(table["similar_item_id"], offered)
        counts["similar_repeats"] += int((key[1:] == key[:-1]).sum() + (item == shown).sum())
        counts["similar_ranks"] += int((rank != place + 1).sum() + rising.sum() + (~np.isfinite(score)).sum())
    return counts


def _not_in(column: pa.ChunkedArray, allowed: pa.Array) -> int:
    return len(column) - int(pc.sum(pc.is_in(column, value_set=allowed)).as_py() or 0)


def whole_lists(files: list[Path], columns: list[str]) -> Iterator[pa.Table]:
    """The rows of all files in order, in tables of some million rows that never end within a list: rows of equal values
    in columns[0].
    """
    key, held, rows = columns[0], list[pa.Table](), 0
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE, columns=columns):  # a row group at most
            held.append(pa.Table.from_batches([batch]))
            rows += len(batch)
            if rows < ROWS_AT_ONCE:
                continue
            table = pa.concat_tables(held).combine_chunks()
            same = pc.equal(table[key], table[key][-1]).to_numpy()
            begin = int(np.argmax(same)) if same.all() else len(same) - int(np.argmin(same[::-1]))
            held, rows = [table.slice(begin)], len(table) - begin
            if begin:
                yield table.slice(0, begin).combine_chunks()
    if rows:
        yield pa.concat_tables(held).combine_chunks()
