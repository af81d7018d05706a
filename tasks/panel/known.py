"""What a night knows of its users and items: who chose what and when, categories, providers, and how old items are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from recmodels.data import layout
from recmodels.data.arrays import Bools, Csr, Ints
from recmodels.metrics.beyond_accuracy import Figures
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.panel.choices import NEVER, Choices, choices_of
from tasks.panel.sample import followed
from tasks.store.paths import Night


@dataclass(frozen=True)
class Known:
    """Users and items of a night.

    Attributes:
        user_ids: [n_users], null for who was forgotten.
        items: the table of items.
        users: who is followed, ascending [n_followed].
        choices: what users chose, of which those of who is followed are held, and those since some instant.
        categories: the share that each category has of an item, [n_items, n_categories]; None where there are none.
    """

    user_ids: pa.Array
    items: pa.Table
    users: Ints
    choices: Choices
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
        return self.choices.count / max(self.choices.users, 1)

    def chosen(self, since: int | None = None) -> Csr:
        """What users who are followed chose, since an instant: 1 for each item, [n_followed, n_items]."""
        place, choices = np.full(len(self.user_ids), -1, np.int32), self.choices
        place[self.users] = np.arange(len(self.users), dtype=np.int32)
        theirs = place[choices.user] >= 0
        if since is not None:
            theirs &= choices.at >= since
        shape = (len(self.users), self.n_items)
        ones = np.ones(int(theirs.sum()), np.float32)
        return sparse.csr_array((ones, (place[choices.user[theirs]], choices.item[theirs])), shape=shape)

    def ages(self, now: int) -> Figures:
        """The days since somebody first chose each item, NaN where nobody has: [n_items]."""
        days = (now - self.choices.first) / 86_400_000_000
        return np.where(self.choices.count > 0, days, np.nan)

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


def known(
    night: Night,
    features: FeatureSettings,
    follow: int,
    since: int = NEVER,
    recent: int = NEVER,
    parts: Path | None = None,
) -> Known:
    """Read what a night has prepared.

    Args:
        night: whose tables they are.
        features: which columns are categories.
        follow: how many users are followed at most.
        since, recent, parts: see `choices_of`.
    """
    user_ids = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    items = pq.read_table(night.prepared / layout.ITEMS)
    users = followed(user_ids, follow)
    choices = choices_of(night.prepared, len(user_ids), len(items), users, since, recent, parts)
    return Known(user_ids, items, users, choices, _categories(items, features))


def _categories(items: pa.Table, features: FeatureSettings) -> Csr | None:
    names, item, category = categories_of(items, features)
    if not names:
        return None
    count = np.bincount(item, minlength=len(items))
    shares = (1 / count[item]).astype(np.float32)
    return sparse.csr_array((shares, (item, category)), shape=(len(items), len(names)))
