"""Predicted ratings: baselines, and the interface of models that predict ratings."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Csr, Floats, Ints, chunks, empty_matrix, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.errors import DataRefused, NightrecError

PAIRS = 2**22  # entries of neighbors and ratings that are compared at a time: some 100 MB


class RatingPredictor(ABC):
    """A model that also predicts ratings; `fit` sets `baseline_`, None without ratings."""

    baseline_: Floats | None
    """What `Baseline.packed` gives."""

    @abstractmethod
    def _predict(self, data: Dataset, users: Ints, items: Ints) -> Floats:
        """Ratings of pairs, float32 [m], not yet clipped; for users or items without ratings, the baseline."""

    def predict(self, data: Dataset, users: NDArray[np.integer[Any]], items: NDArray[np.integer[Any]]) -> Floats:
        """The rating of each pair of `users` [m] and `items` [m]: float32 [m], within the range of those in training.

        Raises NightrecError where there were no ratings in training, ValueError for users or items out of range.
        """
        if getattr(self, "baseline_", None) is None:
            raise NightrecError(f"{type(self).__name__} was fitted without ratings; fit it on data with some.")
        users, items = np.asarray(users), np.asarray(items)
        if users.shape != items.shape or users.ndim != 1:
            raise ValueError(
                f"{users.shape} users and {items.shape} items; give flat arrays, a user and an item a pair."
            )
        for what, index, n in (("User", users, data.n_users), ("Item", items, data.n_items)):
            if len(index) and (index.min() < 0 or index.max() >= n):
                bad = index.min() if index.min() < 0 else index.max()
                raise ValueError(f"{what} index {bad} is not one of the {n} of the data.")
        baseline = self._baseline(data)
        predicted = self._predict(data, users.astype(np.int32), items.astype(np.int32))
        return np.clip(predicted, baseline.lowest, baseline.highest).astype(np.float32)

    def _baseline(self, data: Dataset) -> "Baseline":
        assert self.baseline_ is not None
        return Baseline.unpacked(self.baseline_, data.n_users, data.n_items)

    def _residuals(self, data: Dataset) -> Csr:
        """The ratings in `data` less the baseline: [n_users, n_items]."""
        if data.ratings is None:
            return empty_matrix(data.n_users, data.n_items)
        return self._baseline(data).residuals(data.ratings)

    def _residuals_of(self, data: Dataset, users: Ints) -> Csr:
        """Those rows of `_residuals` that belong to some users, ascending [n]; the others are not computed."""
        if data.rated is None:
            return empty_matrix(len(users), data.n_items)
        rated = np.isin(data.rated[0], users)
        by, items, ratings = data.rated[0][rated], data.rated[1][rated], data.rated[2][rated]
        values = ratings - self._baseline(data).at(by, items)
        shape = (len(users), data.n_items)
        residuals: Csr = sparse.coo_array((values, (np.searchsorted(users, by), items)), shape=shape).tocsr()
        residuals.sort_indices()
        return residuals


@dataclass(frozen=True, eq=False)
class Baseline:
    """b_ui = mean + b_u + b_i: how much the user and the item deviate from the mean rating."""

    lowest: float
    highest: float
    mean: float
    user: Floats  # [n_users], 0 without ratings
    item: Floats  # [n_items], 0 without ratings

    @classmethod
    def of(cls, data: Dataset, *, user_shrinkage: float = 5.0, item_shrinkage: float = 3.0, rounds: int = 10) -> Self:
        """Offsets that minimize squared error in turn, each shrunk as if by so many further ratings equal to the mean.

        b_i = Σ_u (r_ui - mean - b_u) / (n_i + item_shrinkage), and likewise b_u (Koren, "Factor in the Neighbors",
        2010, section 2.1). Raises DataRefused without ratings.
        """
        if data.rated is None:
            raise DataRefused("There are no ratings to train on; give the interactions a rating column.")
        given = *data.rated, data.n_users, data.n_items
        return cls.of_ratings(*given, user_shrinkage=user_shrinkage, item_shrinkage=item_shrinkage, rounds=rounds)

    @classmethod
    def of_ratings(
        cls,
        users: Ints,
        items: Ints,
        ratings: Floats,
        n_users: int,
        n_items: int,
        *,
        user_shrinkage: float = 5.0,
        item_shrinkage: float = 3.0,
        rounds: int = 10,
    ) -> Self:
        """The same of ratings [m], at least one, by user and item."""
        mean = float(ratings.mean(dtype=np.float64))
        per_user = np.bincount(users, minlength=n_users) + user_shrinkage
        per_item = np.bincount(items, minlength=n_items) + item_shrinkage
        rest = ratings.astype(np.float64) - mean
        user = np.zeros(n_users)
        item = np.zeros(n_items)
        for _ in range(rounds):
            item = np.bincount(items, rest - user[users], n_items) / per_item
            user = np.bincount(users, rest - item[items], n_users) / per_user
        lowest, highest = float(ratings.min()), float(ratings.max())
        return cls(lowest, highest, mean, user.astype(np.float32), item.astype(np.float32))

    def at(self, users: Ints, items: Ints) -> Floats:
        """b_ui of pairs: float32 [m]."""
        return np.float32(self.mean) + self.user[users] + self.item[items]

    def residuals(self, ratings: Csr) -> Csr:
        """r_ui - b_ui of every rating [n_users, n_items]."""
        users = np.repeat(np.arange(ratings.shape[0], dtype=np.int32), np.diff(ratings.indptr))
        values = ratings.data - self.at(users, ratings.indices)
        return sparse.csr_array((values, ratings.indices, ratings.indptr), shape=ratings.shape)

    def packed(self) -> Floats:
        """All of it in one array, as models keep it."""
        return np.concatenate([[self.lowest, self.highest, self.mean], self.user, self.item]).astype(np.float32)

    @classmethod
    def unpacked(cls, packed: Floats, n_users: int, n_items: int) -> Self:
        """What `packed` gave. Raises ValueError for another number of users or items."""
        if len(packed) != 3 + n_users + n_items:
            raise ValueError(f"The data have {n_users} users and {n_items} items, the model was fitted on others.")
        lowest, highest, mean = packed[:3].tolist()
        return cls(lowest, highest, mean, packed[3 : 3 + n_users], packed[3 + n_users :])


def neighbor_deviations(similarity: Csr, residuals: Csr, rows: Ints, columns: Ints, shrinkage: float) -> Floats:
    """Σ_n s_rn x_nc / (shrinkage + Σ_n s_rn) over the neighbors n of row r that store column c: float32 [m].

    `similarity` is [n, n], `residuals` [columns, n], so that both are indexed by neighbor. 0 where no neighbor does.
    """
    deviations = np.zeros(len(rows), np.float32)
    sizes = row_lengths(similarity.indptr, rows).astype(np.int64) + row_lengths(residuals.indptr, columns)
    for start, stop in chunks(sizes, PAIRS):
        near, far = similarity[rows[start:stop]], residuals[columns[start:stop]]
        there = sparse.csr_array((np.ones(far.nnz, np.float32), far.indices, far.indptr), shape=far.shape)
        one = np.ones(similarity.shape[1], np.float32)
        weights: Floats = sparse.csr_array(near.multiply(there)) @ one
        total: Floats = sparse.csr_array(near.multiply(far)) @ one
        deviations[start:stop] = np.where(weights > 0, total / np.maximum(weights + np.float32(shrinkage), 1e-9), 0)
    return deviations
