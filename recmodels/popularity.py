"""Popularity: the items with the most weight of late, the same for everybody; also what cold users are given."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from recmodels.base import SCORE_BYTES, Recommender
from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.options import FitOptions
from recmodels.parameters import Search

ROWS = 2**21  # interactions that are added up at a time


@dataclass
class Popularity(Recommender):
    """Score of an item = sum of the weights of its interactions, of the last `days` only, halved every half-life.

    Items with no such interaction come after all others, by their share of all weight since the beginning (score
    share - 1, in [-1, 0]): so everybody can be given as many items as the catalogue has.

    Attributes:
        scores_: The items' scores: float32 [n_items].
    """

    days: Annotated[float, Gt(0)] | None = None
    """Only interactions of the last so many days before the end of the data count; None: all."""
    half_life_days: Annotated[float, Gt(0), Search(values=(None, 1.0, 3.0, 7.0, 14.0, 30.0, 90.0))] | None = None
    """An interaction counts half after so many days; None: it always counts in full."""

    folds_in: ClassVar[bool] = True
    needs_history: ClassVar[bool] = False

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        total, recent = np.zeros(data.n_items), np.zeros(data.n_items)
        for rows in (slice(i, i + ROWS) for i in range(0, len(data), ROWS)):
            item, weight = data.item_index[rows], data.weight[rows].astype(np.float64)
            age = (data.end - data.timestamp[rows]) / MICROSECONDS_PER_DAY
            total += np.bincount(item, weight, data.n_items)
            if self.half_life_days is not None:
                weight *= 0.5 ** (age / self.half_life_days)
            if self.days is not None:
                weight[age > self.days] = 0
            recent += np.bincount(item, weight, data.n_items)
        rest = total / max(total.max(), 1e-9) - 1
        self.scores_: Floats = np.where(recent > 0, recent, rest).astype(np.float32)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return np.tile(self.scores_, (len(users), 1))

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return max(2 * SCORE_BYTES, 96 * min(n_interactions, ROWS)) + 64 * n_items
