"""A model of one's own: what users went on to after the last items of their history."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy import sparse

from recmodels.base import SCORE_BYTES, Recommender, positive_evidence
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions


@dataclass
class NextItem(Recommender):
    """A Markov chain: score of item i = sum over the history of decay^age P(i follows j).

    The age of an item j is its place in the history, counted from the last one: 0, 1, 2 … P(i follows j) is the share
    of j's followers that are i, drawn towards 0 where j has few of them.

    Attributes:
        follows_: How often each item follows another one, as shares [n_items, n_items].
    """

    folds_in: ClassVar[bool] = True

    decay: Annotated[float, Gt(0), Le(1)] = 0.5
    """How much an item counts beside the one that came after it in the history."""
    shrinkage: Annotated[float, Ge(0)] = 5.0
    """Followers that are made up for each item and lead nowhere: larger means more careful with rare items."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        same_user = data.user_index[1:] == data.user_index[:-1]  # rows are sorted by user and time
        pairs = data.item_index[:-1][same_user], data.item_index[1:][same_user]
        ones = np.ones(len(pairs[0]), np.float32)
        counts: Csr = sparse.coo_array((ones, pairs), shape=(data.n_items, data.n_items)).tocsr()
        counts.data /= np.repeat(counts.sum(axis=1) + self.shrinkage, np.diff(counts.indptr)).astype(np.float32)
        self.follows_ = counts

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return positive_evidence(self._history(data, users) @ self.follows_)

    def _history(self, data: Dataset, users: Ints) -> Csr:
        """How much each item of their histories counts for some users: [b, n_items]."""
        starts, lengths = data.indptr[users], np.diff(data.indptr)[users]
        indptr = np.concatenate(([0], np.cumsum(lengths)))
        place = np.arange(indptr[-1]) - np.repeat(indptr[:-1], lengths)  # in the history, from 0
        items = data.item_index[np.repeat(starts, lengths) + place]
        age = np.repeat(lengths, lengths) - 1 - place
        weights = np.maximum(self.decay ** age.astype(np.float32), np.finfo(np.float32).tiny)
        history: Csr = sparse.csr_array((weights, items, indptr), shape=(len(users), data.n_items))
        history.sort_indices()
        return history

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return np.asarray(self.follows_[sources, targets], dtype=np.float32)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 6 * SCORE_BYTES + 32 * n_interactions
