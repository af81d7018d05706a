"""EASE: a linear item-item autoencoder with a closed form (Steck, "Embarrassingly Shallow Autoencoders", 2019)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from scipy.linalg import lapack

from recmodels.base import SCORE_BYTES, Recommender, positive_evidence
from recmodels.compute import memory
from recmodels.data.arrays import Bools, Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.parameters import Search
from recmodels.ranking.topk import TopK
from recmodels.scoring.sparse_product import SparseProduct

BLOCK = 512  # rows of the Gram matrix at a time

EXACT_ITEMS = 20_000
"""Up to so many items the matrix is inverted on the CPU: 1.6 GB, and about a minute on two cores."""

LAPACK_ITEMS = 25_000
"""SciPy's OpenBLAS crashes in the Cholesky decomposition of matrices somewhat larger than this; torch's does not."""

Method = Literal["auto", "exact", "approximate"]


@dataclass
class Ease(SparseProduct):
    """Score = x B, where B minimises |X - X B|² + regularization |B|² with a zero diagonal.

    With P = (XᵀX + regularization I)⁻¹: B_ij = -P_ij / P_jj off the diagonal. Only items with interactions take part;
    memory grows with their square (float32, inverted in place), time with their cube.

    Column j of B is the ridge regression of item j on all others. For larger catalogues it is approximated by the
    regression on the `neighbors` items whose columns of X are most alike (as fsSLIM chooses them: Ning & Karypis,
    2011): memory grows with the items only, and only scores above 0 are listed.
    """

    uses_gpu: ClassVar[bool] = True

    regularization: Annotated[float, Ge(0), Search(10.0, 10_000.0, log=True)] = 500.0
    """In units of weight squared: larger means smoother, and closer to popularity."""
    method: Method = "auto"
    """`auto`: exact for up to 20,000 items (on CUDA: for as many as its memory takes), if memory allows."""
    neighbors: Annotated[int, Ge(1)] = 500
    """Approximation alone: how many other items each item is regressed on."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        items: Ints = np.unique(data.item_index)  # [m], ascending
        n_items = len(items)
        memory.require(self.memory_needed(data.n_users, n_items, len(data)), "ease", n_items)
        self.method_ = "exact" if self._exact(n_items, len(data)) else "approximate"
        if self.method_ == "approximate":
            self.sparse_weights_ = self._regressions(data.matrix.T.tocsr())
            return
        weights = _inverse_of_gram(data.matrix[:, items], self.regularization)  # [m, m]
        weights /= -weights.diagonal()
        np.fill_diagonal(weights, 0)
        self.items_, self.weights_ = items, weights

    def _regressions(self, rows: Csr) -> Csr:
        """B, each column with `neighbors` entries at most, from the transpose of X: [n_items, n_items]."""
        from recmodels.compute.jit import parallel_for
        from recmodels.linear import ease_kernels as kernels
        from recmodels.scoring.kernels import parts
        from recmodels.scoring.similarity import Measure, nearest

        if self.regularization <= 0:
            raise NightrecError(f"EASE cannot regress with regularization {self.regularization}; give a larger one.")
        near = nearest(rows, Measure("dot"), self.neighbors)
        sizes = np.diff(rows.indptr)
        entries = sizes + np.bincount(near.nonzero()[0], sizes[near.indices], len(sizes)).astype(np.int64)
        order = np.argsort(-entries, kind="stable").astype(np.int32)  # the dearest first
        width, ridge = int(np.diff(near.indptr).max()) + 1, np.float32(self.regularization)
        given = order, parts(rows), parts(near), ridge, rows.shape[1], width, int(entries.max())
        parallel_for(lambda part: kernels.regressions(part, *given), range(kernels.TASKS))
        return near.T.tocsr()

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: bool, batch: int | None
    ) -> TopK:
        way = SparseProduct if self.method_ == "approximate" else Recommender
        return way._lists(self, data, users, k, allowed, repeats, batch)

    def _product(self, data: Dataset, users: Ints) -> tuple[Csr, Csr, Floats]:
        return data.matrix[users], self.sparse_weights_, np.ones(data.n_items, np.float32)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        if self.method_ == "approximate":
            return super()._score(data, users)
        history: Csr = data.matrix[users][:, self.items_]  # [b, m]
        scores = np.full((len(users), data.n_items), -np.inf, np.float32)
        known = np.flatnonzero(np.diff(history.indptr))  # nothing to go by for the others
        scores[np.ix_(known, self.items_)] = history[known] @ self.weights_
        return scores

    def _similar(self, items: Ints) -> Floats:
        if self.method_ == "approximate":
            return positive_evidence(self.sparse_weights_[items])
        place = self._places()
        scores = np.full((len(items), self.n_items_), -np.inf, np.float32)
        known = np.flatnonzero(place[items] >= 0)
        rows = self.weights_[place[items[known]]]
        scores[np.ix_(known, self.items_)] = np.where(rows > 0, rows, -np.inf)
        return scores

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        if self.method_ == "approximate":
            return np.asarray(self.sparse_weights_[sources, targets], dtype=np.float32)
        place = self._places()
        share = self.weights_[place[sources], place[targets]]
        share[place[sources] < 0] = 0
        return share

    def _places(self) -> Ints:
        place = np.full(self.n_items_, -1, np.int32)
        place[self.items_] = np.arange(len(self.items_))
        return place

    def _exact(self, n_items: int, n_interactions: int) -> bool:
        if self.method != "auto":
            return self.method == "exact"
        small = n_items <= EXACT_ITEMS or _device(n_items) == "cuda"
        return small and _exact_memory(n_items, n_interactions) <= memory.available()

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        if self._exact(n_items, n_interactions):
            return _exact_memory(n_items, n_interactions)
        kept = 8 * n_items * min(self.neighbors, n_items)
        return 36 * n_interactions + 3 * kept + SCORE_BYTES


def _exact_memory(n_items: int, n_interactions: int) -> int:
    copies = 1 if n_items <= LAPACK_ITEMS else 3
    return 4 * copies * n_items**2 + 3 * SCORE_BYTES + 16 * BLOCK * n_items + 32 * n_interactions


def _device(n_items: int) -> str:
    """Where a matrix of so many items is inverted: on CUDA if that has room for it, three times over."""
    from recmodels.compute import device

    if not device.cuda():
        return "cpu"
    import torch

    return "cuda" if 12 * n_items**2 <= torch.cuda.mem_get_info()[0] else "cpu"


def _inverse_of_gram(matrix: Csr, regularization: float) -> Floats:
    """(XᵀX + λI)⁻¹: float32 [m, m]."""
    m = matrix.shape[1]
    columns: Csr = matrix.T.tocsr()
    gram = np.empty((m, m), np.float32)
    for i in range(0, m, BLOCK):
        gram[i : i + BLOCK] = (columns[i : i + BLOCK] @ matrix).toarray()
    gram[np.diag_indices(m)] += np.float32(regularization)
    where = _device(m)
    by_lapack = where == "cpu" and m <= LAPACK_ITEMS
    if not (invert(gram) if by_lapack else invert_by_torch(gram, where)):
        raise NightrecError(f"EASE cannot invert its matrix with regularization {regularization}; give a larger one.")
    return gram


def invert(gram: Floats) -> bool:
    """Invert a symmetric matrix in place by Cholesky (LAPACK); False where it is not positive definite."""
    # A symmetric matrix is its own transpose: LAPACK's column-major lower triangle is our upper one.
    factor, info = lapack.spotrf(gram.T, lower=1, clean=0, overwrite_a=1)
    if info == 0:
        _, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        return False
    for i in range(0, len(gram), BLOCK):  # mirror the upper triangle
        gram[i + BLOCK :, i : i + BLOCK] = gram[i : i + BLOCK, i + BLOCK :].T
        corner = gram[i : i + BLOCK, i : i + BLOCK]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
    return True


def invert_by_torch(gram: Floats, device: str) -> bool:
    """The same on a device of torch; the inverse comes back into `gram`."""
    import torch

    host = torch.from_numpy(gram)
    matrix = host.to(device)
    factor, info = torch.linalg.cholesky_ex(matrix)
    del matrix
    if info.item() != 0:
        return False
    host.copy_(torch.cholesky_inverse(factor))
    return True
