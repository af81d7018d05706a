"""Item-item models f(AᵀA) of a sparse A [n_users, n_items], for a function f of its eigenvalues, never made dense.

The largest eigenvalues are treated one by one; on the many small ones f is taken as linear, and a linear function of
AᵀA needs no eigenvalues at all: f(G) ≈ s G + V (f(Λ) - s Λ) Vᵀ, with G = AᵀA = V Λ Vᵀ + the rest. What is stored is a
sparse matrix (the largest entries of each row of G) and the eigenvectors V: memory is linear in items, where f(G)
itself is dense.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.base import SCORE_BYTES, Recommender, chunks
from recmodels.compute.work import dense, gram
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset

OVERSAMPLING = 32  # directions beyond those that are wanted, which make them accurate (Halko et al., 2011)
ITERATIONS = 3  # of subspace iteration
ROWS_AT_A_TIME = 2**15  # rows of A at a time
COLUMNS_AT_A_TIME = 2**12  # columns of a product at a time
FEW = 4  # rows of a product for which a matrix of float64 is not worth making
NUMBERS_AT_A_TIME = 2**22  # numbers gathered at a time for explanations


def largest_eigenpairs(matrix: Csr, rank: int, seed: int) -> tuple[Floats, Floats]:
    """The largest eigenvalues of AᵀA [r], falling, and their vectors [n_items, r]: r = rank, or fewer if A has no more.

    Subspace iteration from a random start, then Rayleigh and Ritz (Halko, Martinsson & Tropp, 2011).
    """
    n_items = matrix.shape[1]
    width = min(rank + OVERSAMPLING, *matrix.shape)
    basis = np.random.default_rng(seed).standard_normal((n_items, width), dtype=np.float32)
    for _ in range(ITERATIONS):
        basis = _applied(matrix, _orthonormal(basis))
    basis = _orthonormal(basis)
    small = np.zeros((width, width))
    for part in _parts(matrix):
        image = part @ basis
        small += image.T @ image
    values, turns = np.linalg.eigh(small)
    kept = np.flatnonzero(values > 1e-6 * values[-1])[::-1][:rank]
    return values[kept].astype(np.float32), basis @ turns[:, kept].astype(np.float32)


def _orthonormal(vectors: Floats) -> Floats:
    """A basis of the columns' space [n, r], in float32: NumPy would take twice the memory, and four times as long."""
    from scipy.linalg import qr

    basis: Floats = qr(vectors, mode="economic", overwrite_a=True, check_finite=False)[0]
    return basis


@dataclass
class ItemFilter(Recommender):
    """Scores x D f(AᵀA) D' for a history x and diagonal D and D'; a model chooses them in `_fit_filter`."""

    folds_in: ClassVar[bool] = True

    def _fit_filter(
        self,
        matrix: Csr,
        response: Callable[[Floats], Floats],
        slope: Callable[[Floats], float],
        *,
        rank: int,
        neighbors: int,
        seed: int,
    ) -> Floats:
        """Approximate f(AᵀA) for A = `matrix` and f = `response`; returns its diagonal: float32 [n_items].

        `slope` gives, from the eigenvalues, how steep f is taken to be beyond them.
        """
        from recmodels.scoring.similarity import Measure, nearest, row_sums

        values, vectors = largest_eigenpairs(matrix, rank, seed)
        steepness = np.float32(slope(values))
        self.vectors_: Floats = vectors  # [n_items, r]
        self.response_: Floats = (response(values) - steepness * values).astype(np.float32)  # [r]
        rows: Csr = matrix.T.tocsr()
        diagonal = row_sums(rows, lambda part: rows.data[part] ** 2).astype(np.float32) * steepness
        near = nearest(rows, Measure("dot", powers=(0, 0)), neighbors, columns=matrix)
        near.data *= steepness
        self.near_: Csr = _with_diagonal(near, diagonal)
        self.known_: NDArray[np.bool_] = np.diff(rows.indptr) > 0  # items with interactions
        self.before_: Floats = np.ones(matrix.shape[1], np.float32)
        self.after_: Floats = np.ones(matrix.shape[1], np.float32)
        share: Floats = diagonal + (vectors**2) @ self.response_
        return share

    def _score(self, data: Dataset, users: Ints) -> Floats:
        history: Csr = data.matrix[users]  # [b, n_items]
        known = self.known_[history.indices]
        informed = np.bincount(np.repeat(np.arange(len(users)), np.diff(history.indptr)), known, len(users)) > 0
        scores = self._filtered(sparse.csr_array((history.data, history.indices, history.indptr), shape=history.shape))
        scores[~informed] = -np.inf
        return scores

    def _similar(self, items: Ints) -> Floats:
        n = len(self.known_)
        one = sparse.csr_array(
            (np.ones(len(items), np.float32), items, np.arange(len(items) + 1)), shape=(len(items), n)
        )
        scores = self._filtered(one)
        scores[scores <= 0] = -np.inf
        return scores

    def _filtered(self, history: Csr) -> Floats:
        """Scores of all items for histories [b, n_items]."""
        from recmodels.compute.jit import parallel_for
        from recmodels.scoring import kernels

        weighed: Csr = sparse.csr_array(
            (history.data * self.before_[history.indices], history.indices, history.indptr), shape=history.shape
        )
        spectrum = (weighed @ self.vectors_) * self.response_  # [b, r]
        scores: Floats = _product(spectrum, self.vectors_)
        given = kernels.parts(weighed), kernels.parts(self.near_), scores
        parallel_for(partial(kernels.add_product, *given), range(kernels.TASKS))
        scores *= self.after_
        scores[:, ~self.known_] = -np.inf
        return scores

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        share: Floats = np.asarray(self.near_[sources, targets], dtype=np.float32)
        step = max(1, NUMBERS_AT_A_TIME // max(1, len(self.response_)))
        for i in range(0, len(sources), step):
            left, right = self.vectors_[sources[i : i + step]], self.vectors_[targets[i : i + step]]
            share[i : i + step] += np.einsum("pr,pr,r->p", left, right, self.response_, optimize=True)
        return share * self.before_[sources] * self.after_[targets]


def filter_work(n_users: int, n_items: int, n_interactions: int, rank: int, neighbors: int) -> float:
    """The work of fitting an `ItemFilter`: the subspace, turned and made orthonormal, and the nearest items."""
    width = min(rank + OVERSAMPLING, n_users, n_items)
    turned = 2 * n_interactions * width * (ITERATIONS + 0.5)  # A and its transpose; A alone for the eigenvalues
    orthonormal = (ITERATIONS + 1) * 4 * dense(n_items, width, width)
    small = dense(n_users, width, width) + dense(n_items, width, rank)
    return turned + orthonormal + small + gram(n_users, n_interactions) + n_items * min(neighbors, n_items)


def filter_memory(n_users: int, n_items: int, n_interactions: int, rank: int, neighbors: int) -> int:
    """Bytes that an `ItemFilter` adds at its peak: the subspace or the sparse rows while fitting, or the scores."""
    width = min(rank + OVERSAMPLING, n_users, n_items)
    subspace = 4 * width * (4 * n_items + min(ROWS_AT_A_TIME, n_users)) + 24 * width**2
    kept = 8 * n_items * min(neighbors, n_items)
    vectors = 4 * rank * n_items
    near = 12 * n_interactions + vectors + 2 * kept  # by item, and weighted by user; with the diagonal and without
    return max(4 * n_interactions + subspace, near, vectors + kept + 3 * SCORE_BYTES)


def _with_diagonal(matrix: Csr, diagonal: Floats) -> Csr:
    """A matrix [n, n] that stores nothing on its diagonal, and the diagonal; what is 0 is not stored."""
    n, sizes = len(diagonal), np.diff(matrix.indptr)
    place = matrix.indptr[:-1].astype(np.int64)
    for start, stop in chunks(sizes, NUMBERS_AT_A_TIME):
        row = np.repeat(np.arange(start, stop), sizes[start:stop])
        below = matrix.indices[matrix.indptr[start] : matrix.indptr[stop]] < row
        place[start:stop] += np.bincount(row[below] - start, minlength=stop - start)
    whole: Csr = sparse.csr_array(
        (
            np.insert(matrix.data, place, diagonal),
            np.insert(matrix.indices, place, np.arange(n, dtype=matrix.indices.dtype)),
            matrix.indptr + np.arange(n + 1, dtype=matrix.indptr.dtype),
        ),
        shape=(n, n),
    )
    whole.eliminate_zeros()
    return whole


def _product(left: Floats, vectors: Floats) -> Floats:
    """left vectorsᵀ, summed up in float64: in float32 the last bit depends on how many rows BLAS is given."""
    wide = left.astype(np.float64)
    scores = np.empty((len(left), len(vectors)), np.float32)
    if len(left) <= FEW:
        from recmodels.compute.jit import parallel_for
        from recmodels.scoring import kernels

        step = COLUMNS_AT_A_TIME
        parallel_for(lambda i: kernels.dense_products(wide, vectors, scores, i, i + step), range(0, len(vectors), step))
        return scores
    for i in range(0, len(vectors), COLUMNS_AT_A_TIME):
        scores[:, i : i + COLUMNS_AT_A_TIME] = wide @ vectors[i : i + COLUMNS_AT_A_TIME].T.astype(np.float64)
    return scores


def _applied(matrix: Csr, basis: Floats) -> Floats:
    """AᵀA basis, some rows of A at a time."""
    total = np.zeros_like(basis)
    for part in _parts(matrix):
        total += part.T @ (part @ basis)
    return total


def _parts(matrix: Csr) -> Iterator[Csr]:
    return (matrix[i : i + ROWS_AT_A_TIME] for i in range(0, matrix.shape[0], ROWS_AT_A_TIME))
