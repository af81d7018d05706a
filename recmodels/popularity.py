"""Popularity: the items with the most weight of late, the same for everybody; also what cold users are given."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from recmodels.base import SCORE_BYTES, Recommender
from recmodels.compute.work import mean_length
from recmodels.data.arrays import Bools, Csr, Floats, Ints, Longs
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.layout import Split
from recmodels.data.stored import StoredDataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.options import FitOptions
from recmodels.parameters import Search
from recmodels.parted.training import held_rows
from recmodels.ranking.topk import TopK, joined, nothing

ROWS = 2**21  # interactions that are added up at a time
USERS_AT_A_TIME = 2**14  # users whose histories are copied out at a time; fewer where lists are long
BYTES_OF_A_PLACE = 32  # of a list, while it is made
TIMED = 12  # steps like adding an interaction up that it takes to read when it was, and to count its days


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
    needs_others: ClassVar[bool] = False
    needs_history: ClassVar[bool] = False
    delegates: ClassVar[bool] = True

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        sums = _Sums(self, data.n_items, data.end)
        names = ["item_index", "weight", "timestamp"] if self._timed else ["item_index", "weight"]
        for piece in data.pieces(names, ROWS):
            sums.add(*piece)
        self.scores_: Floats = sums.scores

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return np.tile(self.scores_, (len(users), 1))

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats, batch: int | None
    ) -> TopK:
        """The ranking that all share, without what each has seen."""
        listed = np.arange(data.n_items) if allowed is None else np.flatnonzero(allowed)
        ranked = listed[np.argsort(-self.scores_[listed], kind="stable")]
        place = np.full(data.n_items, -1)
        place[ranked] = np.arange(len(ranked))
        items, scores = np.append(ranked, -1).astype(np.int32), np.append(self.scores_[ranked], np.float32(-np.inf))
        lists = [nothing(0, k)]
        step = max(1, min(USERS_AT_A_TIME, SCORE_BYTES // (BYTES_OF_A_PLACE * k), batch or USERS_AT_A_TIME))
        for part in (users[i : i + step] for i in range(0, len(users), step)):
            at = np.arange(k) + (0 if repeats is True else _passed_over(data.hidden(part, repeats), place, k))
            at = np.broadcast_to(np.minimum(at, len(ranked)), (len(part), k))
            lists.append(TopK(items[at], scores[at]))
        return joined(lists)

    @property
    def _timed(self) -> bool:
        """Whether it matters when an interaction was."""
        return self.half_life_days is not None or self.days is not None

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return float(n_interactions) * (TIMED if self._timed else 1)

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        return n_items + n_listed * mean_length(n_users, n_interactions)  # one ranking, less what each has seen

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        piece = min(n_interactions, ROWS)
        sums = 16 * piece
        if self._timed:  # all times, as they are read, and those of a piece in days
            sums = max(21 * n_interactions, 8 * n_interactions + 96 * piece)
        return max(SCORE_BYTES, sums) + 64 * n_items

    def process_memory(self, n_users: int, n_items: int, n_interactions: int, *, mapped: bool = False) -> int:
        return super().process_memory(n_users, n_items, held_rows(n_interactions), mapped=mapped)


def _passed_over(seen: Csr, place: Longs, k: int) -> Longs:
    """How many of a ranking's places each of a user's first k unseen items comes after that the user has seen: [b, k].

    Args:
        seen: what the users have seen, [b, n_items].
        place: of each item in the ranking, -1 where it has none.
        k: how many.
    """
    length = np.diff(seen.indptr)
    row, places = np.repeat(np.arange(len(length)), length), place[seen.indices]
    near = (places >= 0) & (places < k + length[row])
    row, places = row[near], places[near]
    order = np.lexsort((places, row))
    row, places = row[order], places[order]
    # Before the t-th seen place (from 0) there are place - t unseen ones: all unseen ones from that on come after it.
    before = places - (np.arange(len(row)) - np.searchsorted(row, row))
    late = before < k
    passed = np.bincount(row[late] * k + before[late], minlength=len(length) * k).reshape(len(length), k)
    counted: Longs = passed.cumsum(axis=1)
    return counted


def fit_to_split(models: Iterable[Popularity], features: Path, split: Split) -> None:
    """Fit models to a split of the features folder in one go, of which a part is read at a time."""
    data = StoredDataset.opened(features, split)
    sums = [_Sums(model, data.n_items, data.end) for model in models]
    for item, weight, timestamp in data.pieces(["item_index", "weight", "timestamp"], ROWS):
        places = item.astype(np.int64)  # once, as `bincount` would each time
        for one in sums:
            one.add(places, weight, timestamp)
    for one in sums:
        one.model.scores_, one.model.n_items_ = one.scores, data.n_items


class _Sums:
    """The sums that a model's scores are made of."""

    def __init__(self, model: Popularity, n_items: int, end: int) -> None:
        self.model, self.n_items, self.end = model, n_items, end
        self.total, self.recent = np.zeros(n_items), np.zeros(n_items)

    def add(self, item: Ints | Longs, weight: Floats, timestamp: Longs | None = None) -> None:
        """Count some interactions; their times matter to some models only."""
        weight = weight.astype(np.float64)
        self.total += np.bincount(item, weight, self.n_items)
        if timestamp is None or not self.model._timed:
            return
        age = (self.end - timestamp) / MICROSECONDS_PER_DAY
        if self.model.half_life_days is not None:
            weight *= 0.5 ** (age / self.model.half_life_days)
        if self.model.days is not None:
            weight[age > self.model.days] = 0
        self.recent += np.bincount(item, weight, self.n_items)

    @property
    def scores(self) -> Floats:
        """float32 [n_items]."""
        recent = self.recent if self.model._timed else self.total
        rest = self.total / max(self.total.max(), 1e-9) - 1
        return np.where(recent > 0, recent, rest).astype(np.float32)
