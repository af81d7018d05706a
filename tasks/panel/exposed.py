"""What was shown: the lists that were published, and what each item got of all exposure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.data.parquet import read_columns
from recmodels.metrics.beyond_accuracy import Figures

ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Exposed:
    """Exposure, by item and in parts.

    Attributes:
        by_item: what each item got from everybody, [n_items].
        user: of whom a part is, as a place among the users who are followed, [n_parts].
        item: of which item, [n_parts].
        weight: how much, [n_parts].
    """

    by_item: Figures
    user: Ints
    item: Ints
    weight: Figures

    def totals(self, n_users: int, value: Figures | None = None) -> Figures:
        """The exposure that each user had, each part of it times a value of its item: [n_users]."""
        weights = self.weight if value is None else self.weight * value[self.item]
        return np.bincount(self.user, weights, n_users).astype(np.float64)


def published_lists(folder: Path, published: pa.Array, item_ids: pa.Array, k: int) -> tuple[Exposed, Ints]:
    """The exposure that published lists give, each place by its discount, and the lists of some users, [n_users, k].

    Args:
        folder: the `topk` of an export; it is read in pieces.
        published: the ids of these users in it.
        item_ids: of the night, in the order of the indices.
        k: places.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    by_item = np.zeros(len(item_ids))
    lists = np.full((len(published), k), -1, np.int32)
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["user_id", "rank", "item_id"]):
                place = batch["rank"].to_numpy() - 1
                item = pc.fill_null(pc.index_in(batch["item_id"], value_set=item_ids), -1).to_numpy()
                user = pc.fill_null(pc.index_in(batch["user_id"], value_set=published), -1).to_numpy()
                there = (item >= 0) & (place < k)
                by_item += np.bincount(item[there], discounts[place[there]], len(item_ids))
                mine = there & (user >= 0)
                lists[user[mine], place[mine]] = item[mine]
    user, place = np.nonzero(lists >= 0)
    return Exposed(by_item, user.astype(np.int32), lists[user, place], discounts[place]), lists


def logged_exposures(path: Path, users: Ints, n_users: int, n_items: int, since: int) -> Exposed:
    """The exposures that were logged since an instant (µs), each counted once, with those of some `users`."""
    table = read_columns(path, ["user_index", "item_index", "timestamp"])
    recent = table["timestamp"] >= since
    user, item = table["user_index"][recent], table["item_index"][recent]
    place = np.full(n_users, -1, np.int32)
    place[users] = np.arange(len(users), dtype=np.int32)
    mine = place[user] >= 0
    by_item = np.bincount(item, minlength=n_items).astype(np.float64)
    return Exposed(by_item, place[user[mine]], item[mine], np.ones(int(mine.sum())))
