"""EASE: a linear item-item autoencoder with a closed form (Steck, "Embarrassingly Shallow Autoencoders", 2019)."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from recmodels import memory
from recmodels.base import SCORE_BYTES, Recommender
from recmodels.dataset import Csr, Dataset, Floats, Ints
from recmodels.errors import NightrecError

BLOCK = 512  # rows of the Gram matrix at a time


@dataclass
class Ease(Recommender):
    """Score = x B, where B minimises |X - X B|² + regularization |B|² with a zero diagonal.

    With P = (XᵀX + regularization I)⁻¹: B_ij = -P_ij / P_jj off the diagonal. Only items with interactions take
    part; memory grows with their square (float32, inverted in place), time with their cube.
    """

    regularization: float = 500.0
    """In units of weight squared: larger means smoother, and closer to popularity."""

    def _fit(self, data: Dataset) -> None:
        self.items_: Ints = np.unique(data.item_index)  # [m], ascending
        memory.require(self.memory_needed(data.n_users, len(self.items_), len(data)), "ease", len(self.items_))
        weights = _inverse_of_gram(data.matrix[:, self.items_], self.regularization)  # [m, m]
        weights /= -weights.diagonal()
        np.fill_diagonal(weights, 0)
        self.weights_: Floats = weights

    def _score(self, data: Dataset, users: Ints) -> Floats:
        history: Csr = data.matrix[users][:, self.items_]  # [b, m]
        scores = np.full((len(users), data.n_items), -np.inf, np.float32)
        known = np.flatnonzero(np.diff(history.indptr))  # nothing to go by for the others
        scores[np.ix_(known, self.items_)] = history[known] @ self.weights_
        return scores

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        place = np.full(self.n_items_, -1)
        place[self.items_] = np.arange(len(self.items_))
        share: Floats = self.weights_[place[sources], place[targets]]
        share[place[sources] < 0] = 0
        return share

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 4 * n_items**2 + 3 * SCORE_BYTES + 16 * BLOCK * n_items + 32 * n_interactions


def _inverse_of_gram(matrix: Csr, regularization: float) -> Floats:
    """(XᵀX + λI)⁻¹ by a Cholesky factorisation in place: float32 [m, m]."""
    m = matrix.shape[1]
    columns: Csr = matrix.T.tocsr()
    gram = np.empty((m, m), np.float32)
    for i in range(0, m, BLOCK):
        gram[i : i + BLOCK] = (columns[i : i + BLOCK] @ matrix).toarray()
    gram[np.diag_indices(m)] += np.float32(regularization)
    # A symmetric matrix is its own transpose: LAPACK's column-major lower triangle is our upper one.
    factor, info = lapack.spotrf(gram.T, lower=1, clean=0, overwrite_a=1)
    if info == 0:
        factor, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        raise NightrecError(f"EASE cannot invert its matrix with regularization {regularization}; give a larger one.")
    inverse: Floats = factor.T
    for i in range(0, m, BLOCK):  # mirror the upper triangle
        inverse[i + BLOCK :, i : i + BLOCK] = inverse[i : i + BLOCK, i + BLOCK :].T
        corner = inverse[i : i + BLOCK, i : i + BLOCK]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
    return inverse
