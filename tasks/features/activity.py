"""What the interactions of a split say of items and users: how many there were, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.times import MICROSECONDS_PER_DAY


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts, recency and age of the interactions of n items (or users).

    Attributes:
        count: how many there are, [n].
        first, last: when the first and the last was, µs since 1970 (UTC), [n].
    """

    count: Longs
    first: Longs
    last: Longs

    @classmethod
    def none(cls, n: int) -> Activity:
        """No interactions yet."""
        ever = np.iinfo(np.int64)
        return cls(np.zeros(n, np.int64), np.full(n, ever.max), np.full(n, ever.min))

    def add(self, row: Ints, time: Longs, began: Longs | None = None) -> None:
        """Interactions at some times (µs), each of one item (or user); `began`: when those did that were repeated."""
        row = row.astype(np.intp)  # once, not for each of these
        self.count[:] += np.bincount(row, minlength=len(self.count))
        np.maximum.at(self.last, row, time)
        np.minimum.at(self.first, row, time if began is None else began)

    def merge(self, rows: Ints | Longs | slice, other: Activity) -> None:
        """Further interactions: what is known of some different rows."""
        self.count[rows] += other.count
        self.first[rows] = np.minimum(self.first[rows], other.first)
        self.last[rows] = np.maximum(self.last[rows], other.last)

    def take(self, rows: Longs) -> Activity:
        """Some rows."""
        return Activity(self.count[rows], self.first[rows], self.last[rows])

    @property
    def known(self) -> Bools:
        """Those with interactions."""
        return self.count > 0

    def table(self, index: str, end: int, more: dict[str, Any]) -> pa.Table:
        """A row for each; without times where there are no interactions. `end`: of the split, µs."""
        never = ~self.known
        days = {
            "recency_days": np.where(never, 0, end - self.last) / MICROSECONDS_PER_DAY,
            "age_days": np.where(never, 0, end - self.first) / MICROSECONDS_PER_DAY,
        }
        return pa.table(
            {
                index: np.arange(len(self.count), dtype=np.int32),
                "interactions": self.count.astype(np.int32),
                "popularity": (self.count / max(1, self.count.sum())).astype(np.float32),
                **{name: pa.array(value.astype(np.float32), mask=never) for name, value in days.items()},
                **more,
            }
        )
