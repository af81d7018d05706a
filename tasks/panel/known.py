"""What a night knows of its users and items: who chose what and when, categories, providers, and how old items are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from recmodels.data import layout
from recmodels.data.arrays import Bools, Csr, Ints, Longs
from recmodels.data.pairs import Pairs
from recmodels.metrics.beyond_accuracy import Figures
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.store.paths import Night


@dataclass(frozen=True)
class Known:
    """Users and items of a night.

    Attributes:
        user_ids: [n_users], null for who was forgotten.
        items: the table of items.
        user: of what was chosen, by whom, [n]; excluded from training is what is no choice.
        item: which item, [n].
        at: when last, µs, [n].
        began: when first, µs, [n].
        categories: the share that each category has of an item, [n_items, n_categories]; None where there are none.
    """

    user_ids: pa.Array
    items: pa.Table
    user: Ints
    item: Ints
    at: Longs
    began: Longs
    categories: Csr | None

    @property
    def item_ids(self) -> pa.Array:
        return self.items["item_id"].combine_chunks()

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def available(self) -> Bools:
        """Which items could be shown; [n_items]."""
        column = self.items["available"].combine_chunks() if "available" in self.items.column_names else None
        if column is None:
            return np.ones(self.n_items, np.bool_)
        there: Bools = column.fill_null(True).to_numpy(zero_copy_only=False)
        return there

    def popularity(self) -> Figures:
        """The share of all users with a choice who chose each item: [n_items]."""
        users = len(np.unique(self.user))
        return np.bincount(self.item, minlength=self.n_items) / max(users, 1)

    def chosen_by(self, users: Ints, since: int | None = None) -> Csr:
        """What some users chose, since an instant: 1 for each item, [n, n_items]."""
        place = np.full(len(self.user_ids), -1, np.int32)
        place[users] = np.arange(len(users), dtype=np.int32)
        mine = place[self.user] >= 0
        if since is not None:
            mine &= self.at >= since
        shape = (len(users), self.n_items)
        ones = np.ones(int(mine.sum()), np.float32)
        return sparse.csr_array((ones, (place[self.user[mine]], self.item[mine])), shape=shape)

    def ages(self, now: int) -> Figures:
        """The days since somebody first chose each item, NaN where nobody has: [n_items]."""
        first = np.full(self.n_items, np.iinfo(np.int64).max)
        np.minimum.at(first, self.item, self.began)
        days = (now - first) / 86_400_000_000
        return np.where(np.bincount(self.item, minlength=self.n_items) > 0, days, np.nan)

    def groups(self, column: str) -> tuple[list[str], Ints] | None:
        """The values of a column and that of each item, -1 for none; None where there is no such column of values."""
        if column not in self.items.column_names:
            return None
        values = self.items[column].combine_chunks()
        if pa.types.is_nested(values.type):
            return None
        coded = values.cast(pa.string()).dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.combine_chunks()
        return coded.dictionary.to_pylist(), coded.indices.fill_null(-1).to_numpy().astype(np.int32)


def known(night: Night, features: FeatureSettings) -> Known:
    """Read what a night has prepared."""
    user_ids = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    items = pq.read_table(night.prepared / layout.ITEMS)
    pairs = Pairs(night.prepared, "full")
    wanted = ["user_index", "item_index", "timestamp", "weight"]
    table = pairs.columns([*wanted, *([layout.FIRST] if layout.FIRST in pairs.names else [])])
    chosen = table["weight"] > 0
    columns = {name: column[chosen] for name, column in table.items()}
    began = columns.get(layout.FIRST, columns["timestamp"])
    return Known(
        user_ids,
        items,
        columns["user_index"],
        columns["item_index"],
        columns["timestamp"],
        began,
        _categories(items, features),
    )


def _categories(items: pa.Table, features: FeatureSettings) -> Csr | None:
    names, item, category = categories_of(items, features)
    if not names:
        return None
    count = np.bincount(item, minlength=len(items))
    shares = (1 / count[item]).astype(np.float32)
    return sparse.csr_array((shares, (item, category)), shape=(len(items), len(names)))
