"""Popularity: the items with the most weight of late, the same for everybody; also what cold users are given."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recmodels.base import SCORE_BYTES, Recommender
from recmodels.dataset import Dataset, Floats, Ints

DAY = 86_400_000_000  # microseconds


@dataclass
class Popularity(Recommender):
    """Score of an item = sum of the weights of its interactions, of the last `days` only, halved every half-life.

    Items with no such interaction come after all others, by their share of all weight since the beginning (score
    share - 1, in [-1, 0]): so everybody can be given as many items as the catalogue has.
    """

    days: float | None = None
    """Only interactions of the last so many days before the window's end count; None: all."""
    half_life_days: float | None = None
    """An interaction counts half after so many days; None: it always counts in full."""

    needs_history: ClassVar[bool] = False

    def _fit(self, data: Dataset) -> None:
        age = (data.end - data.timestamp) / DAY  # [n], days
        weight = data.weight.astype(np.float64)
        total = np.bincount(data.item_index, weight, data.n_items)
        if self.half_life_days is not None:
            weight *= 0.5 ** (age / self.half_life_days)
        if self.days is not None:
            weight[age > self.days] = 0
        recent = np.bincount(data.item_index, weight, data.n_items).astype(np.float32)
        self.scores_: Floats = np.where(recent > 0, recent, total / max(total.max(), 1e-9) - 1).astype(np.float32)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return np.tile(self.scores_, (len(users), 1))

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 2 * SCORE_BYTES + 32 * n_interactions + 32 * n_items
