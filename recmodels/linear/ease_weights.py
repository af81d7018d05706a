"""EASE's weights B, dense or sparse, and what follows from them: scores, similar items, shares of a score."""

from dataclasses import dataclass

import numpy as np

from recmodels.base import positive_evidence
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.linear.ease_regressions import regress, regress_in_parts
from recmodels.linear.gram_inverse import few_users, inverse_of, inverse_of_gram
from recmodels.linear.gram_rows import gram_in_parts
from recmodels.parted.training import PartedTraining
from recmodels.scoring.item_parts import nearest_changed
from recmodels.scoring.similarity import Measure, nearest
from recmodels.scoring.sparse_product import product_scores
from recmodels.scoring.unchanged import Kept
from recmodels.scoring.weighted_parts import WeightedParts, Weights

AS_THEY_ARE = Weights("cosine")


@dataclass(frozen=True, eq=False)
class DenseWeights:
    """The exact solution, for the m items that have interactions."""

    items: Ints  # [m], ascending
    weights: Floats  # [m, m]
    n_items: int

    @classmethod
    def fit(cls, data: Dataset, regularization: float, training: PartedTraining | None = None) -> "DenseWeights":
        """B_ij = -P_ij / P_jj off the diagonal, P being the inverse of XᵀX + regularization I.

        The products XᵀX are found in parts where `training` is, unless users are few.
        """
        items: Ints = data.known_items
        if training is None or few_users(int(np.count_nonzero(np.diff(data.indptr))), len(items)):
            weights = inverse_of_gram(data.matrix[:, items], regularization)
        else:
            gram = gram_in_parts(WeightedParts.of(training, data, AS_THEY_ARE), items)
            weights = inverse_of(gram, regularization)
        weights /= -weights.diagonal()
        np.fill_diagonal(weights, 0)
        return cls(items, weights, data.n_items)

    def scores(self, history: Csr) -> Floats:
        """[b, n_items], -inf for items without interactions, and for users without a history."""
        history = history[:, self.items]  # [b, m]
        scores = np.full((history.shape[0], self.n_items), -np.inf, np.float32)
        known = np.flatnonzero(np.diff(history.indptr))
        scores[np.ix_(known, self.items)] = history[known] @ self.weights
        return scores

    def similar(self, items: Ints) -> Floats:
        """The weights of some items, above 0: [b, n_items]."""
        place = self._places()
        scores = np.full((len(items), self.n_items), -np.inf, np.float32)
        known = np.flatnonzero(place[items] >= 0)
        rows = self.weights[place[items[known]]]
        scores[np.ix_(known, self.items)] = np.where(rows > 0, rows, -np.inf)
        return scores

    def affinity(self, sources: Ints, targets: Ints) -> Floats:
        """The weights of pairs: [p]."""
        place = self._places()
        share = self.weights[place[sources], place[targets]]
        share[place[sources] < 0] = 0
        return share

    def _places(self) -> Ints:
        """Where each item is among `items`, -1 for none: [n_items]."""
        place = np.full(self.n_items, -1, np.int32)
        place[self.items] = np.arange(len(self.items))
        return place


@dataclass(frozen=True, eq=False)
class SparseWeights:
    """The approximation: each item regressed on its nearest items."""

    weights: Csr  # [n_items, n_items]

    @classmethod
    def fit(
        cls,
        data: Dataset,
        regularization: float,
        neighbors: int,
        training: PartedTraining | None = None,
        kept: Kept | None = None,
    ) -> "SparseWeights":
        """B with `neighbors` entries at most in each column; in parts where `training` is.

        Columns that are `kept` are not learned: they are the rows of its matrix.
        """
        if regularization <= 0:
            raise NightrecError(f"EASE cannot regress with regularization {regularization}; give a larger one.")
        changed = None if kept is None else kept.changed
        if training is None:
            rows = data.matrix.T.tocsr()  # [n_items, n_users]
            near = nearest(rows, Measure("dot"), neighbors, chosen=changed)
            regress(rows, near, np.float32(regularization))
        else:
            weighted = WeightedParts.of(training, data, AS_THEY_ARE, changed)
            near = regress_in_parts(weighted, nearest_changed(weighted, Measure("dot"), neighbors), regularization)
        return cls((near if kept is None else near + kept.rows).T.tocsr())

    def scores(self, history: Csr) -> Floats:
        """[b, n_items], -inf where they are not above 0."""
        return product_scores(history, self.weights, np.ones(history.shape[1], np.float32))

    def similar(self, items: Ints) -> Floats:
        """The weights of some items, above 0: [b, n_items]."""
        return positive_evidence(self.weights[items])

    def affinity(self, sources: Ints, targets: Ints) -> Floats:
        """The weights of pairs: [p]."""
        return np.asarray(self.weights[sources, targets], dtype=np.float32)
