"""What the interactions of a split say of items and users: how many there were, and when.

They are read a batch at a time: only counts and times of items and users are in memory throughout.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.times import MICROSECONDS_PER_DAY


class Activity:
    """Counts, recency and age of the interactions of n items (or users)."""

    def __init__(self, n: int) -> None:
        self._count: Longs = np.zeros(n, np.int64)
        self._last, self._first = np.full(n, np.iinfo(np.int64).min), np.full(n, np.iinfo(np.int64).max)

    def add(self, row: Ints, time: Longs) -> None:
        """Interactions at some times (µs), each of one item (or user)."""
        row = row.astype(np.intp)  # once, not for each of these
        self._count += np.bincount(row, minlength=len(self._count))
        np.maximum.at(self._last, row, time)
        np.minimum.at(self._first, row, time)

    @property
    def known(self) -> Bools:
        """Those with interactions."""
        return self._count > 0

    def table(self, index: str, end: int, more: dict[str, Any]) -> pa.Table:
        """A row for each; without times where there are no interactions. `end`: of the split, µs."""
        count, never = self._count, ~self.known
        days = {
            "recency_days": np.where(never, 0, end - self._last) / MICROSECONDS_PER_DAY,
            "age_days": np.where(never, 0, end - self._first) / MICROSECONDS_PER_DAY,
        }
        return pa.table(
            {
                index: np.arange(len(count), dtype=np.int32),
                "interactions": count.astype(np.int32),
                "popularity": (count / max(1, count.sum())).astype(np.float32),
                **{name: pa.array(value.astype(np.float32), mask=never) for name, value in days.items()},
                **more,
            }
        )
