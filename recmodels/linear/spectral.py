"""Item-item models f(AᵀA) of a sparse A [n_users, n_items], for a function f of its eigenvalues, never made dense.

The largest eigenvalues are treated one by one; on the many small ones f is taken as linear, and a linear function of
AᵀA needs no eigenvalues at all: f(G) ≈ s G + V (f(Λ) - s Λ) Vᵀ, with G = AᵀA = V Λ Vᵀ + the rest. What is stored is a
sparse matrix (the largest entries of each row of G) and the eigenvectors V: memory is linear in items, where f(G)
itself is dense.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from scipy import sparse

from recmodels.base import SCORE_BYTES, Recommender, State
from recmodels.compute import memory
from recmodels.compute.work import dense, gram
from recmodels.data.arrays import Bools, Csr, Doubles, Floats, Ints, chunks, entries_of
from recmodels.data.dataset import Dataset, Repeats
from recmodels.linear.products import COLUMNS_A_TASK, ROWS_AT_A_TIME, InParts, Whole
from recmodels.ranking.product_search import norms_of
from recmodels.ranking.topk import TopK
from recmodels.scoring.unchanged import Kept

OVERSAMPLING = 32  # directions beyond those that are wanted, which make them accurate (Halko et al., 2011)
ITERATIONS = 3  # of subspace iteration
BASIS_ROWS = 2**13  # rows of a basis at a time
RANK_TOLERANCE = 1e-10  # of the largest eigenvalue of a Gram matrix: what is less is rounding
COLUMNS_AT_A_TIME = 2**12  # columns of a product at a time
NEAREST, KEPT = 18, 6
"""Steps that a product of entries takes where some histories are long, and how many of them an entry that is kept."""

FEW = 4  # rows of a product for which a matrix of float64 is not worth making
NUMBERS_AT_A_TIME = 2**22  # numbers gathered at a time for explanations
LISTS_AT_A_TIME = 2**13  # lists whose histories and spectra are held at a time


def largest_eigenpairs(
    matrix: Whole | InParts, rank: int, seed: int, near: Floats | None = None
) -> tuple[Floats, Floats]:
    """The largest eigenvalues of AᵀA [r], falling, and their vectors [n_items, r]: r = rank, or fewer if A has no more.

    Subspace iteration from a random start, then Rayleigh and Ritz (Halko, Martinsson & Tropp, 2011). From vectors that
    are `near` the wanted ones [n_items, any], those of a matrix that differs a little, one iteration does. All that it
    asks of the matrix are products AᵀA V.
    """
    applied, n_items = matrix.applied, matrix.shape[1]
    width = min(rank + OVERSAMPLING, *matrix.shape)
    basis = np.random.default_rng(seed).standard_normal((n_items, width), dtype=np.float32)
    if near is None:
        for _ in range(ITERATIONS):
            basis = _orthonormal(basis)  # one step a line: what is not needed any more makes room
            basis = applied(basis)
    else:
        n = min(near.shape[1], width)
        basis[:, :n], basis[:, n:] = near[:, :n], basis[:, n:] / np.float32(n_items**0.5)
        basis = applied(basis)  # they are nearly orthonormal
    for _ in range(2):
        basis = _orthonormal(basis)
    small = _inner(basis, applied(basis))
    values, turns = np.linalg.eigh((small + small.T) / 2)
    kept = np.flatnonzero(values > 1e-6 * values[-1])[::-1][:rank]
    return values[kept].astype(np.float32), basis @ turns[:, kept].astype(np.float32)


def _orthonormal(vectors: Floats) -> Floats:
    """A basis of the columns' space [n, r], or of fewer columns where it has fewer dimensions.

    By the eigenvectors of the Gram matrix, whose products are faster than Householder's reflections (Stathopoulos and
    Wu, "A Block Orthogonalization Procedure with Constant Synchronization Requirements", 2002). What it leaves askew, a
    second time puts right.
    """
    n = len(vectors)
    gram = _inner(vectors, vectors)
    scale = np.sqrt(np.maximum(gram.diagonal(), np.finfo(np.float64).tiny))
    values, turns = np.linalg.eigh(gram / scale / scale[:, None])
    kept = values > RANK_TOLERANCE * values[-1]
    turn = (turns[:, kept] / np.sqrt(values[kept]) / scale[:, None]).astype(np.float32)
    basis = np.empty((n, turn.shape[1]), np.float32)
    for i in range(0, n, BASIS_ROWS):
        np.matmul(vectors[i : i + BASIS_ROWS], turn, out=basis[i : i + BASIS_ROWS])
    return basis


def _inner(one: Floats, other: Floats) -> Doubles:
    """oneᵀ other, summed up in float64."""
    total = np.zeros((one.shape[1], other.shape[1]))
    for i in range(0, len(one), BASIS_ROWS):
        rows = slice(i, i + BASIS_ROWS)
        total += one[rows].T.astype(np.float64) @ other[rows].astype(np.float64)
    return total


@dataclass
class ItemFilter(Recommender):
    """Scores x D f(AᵀA) D' for a history x and diagonal D and D'; a model chooses them in `_fit_filter`."""

    folds_in: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False

    def _fit_filter(
        self,
        matrix: Whole | InParts,
        known: Bools,
        response: Callable[[Floats], Floats],
        slope: Callable[[Floats], float],
        *,
        rank: int,
        neighbors: int,
        seed: int,
        near: Floats | None = None,
        kept: Callable[[], Kept | None] = lambda: None,
    ) -> Floats:
        """Approximate f(AᵀA) for A = `matrix` and f = `response`; returns its diagonal: float32 [n_items].

        `known` are the items with interactions. `slope` gives, from the eigenvalues, how steep f is taken to be beyond
        them. `near` are vectors near the eigenvectors, and `kept` gives entries of AᵀA, if there are any.
        """
        values, vectors = largest_eigenpairs(matrix, rank, seed, near)
        memory.trim()  # or what threads had for their columns stays with them, beside all neighbors
        steepness = np.float32(slope(values))
        self.vectors_: Floats = vectors  # [n_items, r]
        self.lengths_: Floats = _lengths(vectors)  # [n_items]
        self.response_: Floats = (response(values) - steepness * values).astype(np.float32)  # [r]
        diagonal = matrix.squares() * steepness
        there = kept()
        linear = matrix.nearest(neighbors, there)
        linear.data *= steepness
        self.slope_: float = float(steepness)
        self.item_weights_: Floats | None = None if there is None else there.weights
        self.near_: Csr = _with_diagonal(linear, diagonal)
        self.known_: Bools = known
        self.before_: Floats = np.ones(matrix.shape[1], np.float32)
        self.after_: Floats = np.ones(matrix.shape[1], np.float32)
        share: Floats = diagonal + (vectors**2) @ self.response_
        return share

    def _entries(self) -> Csr:
        """The entries of AᵀA off its diagonal that were stored, of the matrix that the model was fitted on."""
        owner = np.repeat(np.arange(len(self.known_), dtype=np.int32), np.diff(self.near_.indptr))
        found = entries_of(self.near_, self.near_.indices != owner)
        return Csr((found.data / np.float32(self.slope_), found.indices, found.indptr), shape=found.shape)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        history = self._history(data, users)  # [b, n_items]
        scores = self._filtered(history)
        scores[~self._informed(history)] = -np.inf
        return scores

    def _informed(self, history: Csr) -> Bools:
        """Which histories hold an item that was known in training: bool [b]."""
        known = self.known_[history.indices]
        counts = np.bincount(np.repeat(np.arange(history.shape[0]), np.diff(history.indptr)), known, history.shape[0])
        informed: Bools = counts > 0
        return informed

    def _filtered(self, history: Csr) -> Floats:
        """Scores of all items for histories [b, n_items]."""
        from recmodels.compute.jit import parallel_for
        from recmodels.scoring import kernels

        weighed = self._weighed(history)
        scores: Floats = _product((weighed @ self.vectors_) * self.response_, self.vectors_)
        given = kernels.parts(weighed), kernels.parts(self.near_), scores
        parallel_for(partial(kernels.add_product, *given), range(kernels.TASKS))
        scores *= self.after_
        scores[:, ~self.known_] = -np.inf
        return scores

    def _weighed(self, history: Csr) -> Csr:
        """Histories times D."""
        data = history.data * self.before_[history.indices]
        return sparse.csr_array((data, history.indices, history.indptr), shape=history.shape)

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats, batch: int | None
    ) -> TopK:
        """The same lists as by way of `_score`; bounds tell which scores need not be computed."""
        top = TopK(np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf, np.float32))
        step = max(1, min(LISTS_AT_A_TIME, batch or LISTS_AT_A_TIME))
        for some in (slice(i, i + step) for i in range(0, len(users), step)):
            informed = self._informed(data.matrix[users[some]])
            rows = some.start + np.flatnonzero(informed)
            history = self._history(data, users[rows])
            found = self._found(history, data.hidden(users[rows], repeats), k, allowed)
            top.items[rows], top.scores[rows] = found.items, found.scores
        return top

    def _similar_items(self, items: Ints, k: int, allowed: Bools | None) -> TopK:
        """The items that a history of each item alone scores highest, above 0."""
        top = TopK(np.full((len(items), k), -1, np.int32), np.full((len(items), k), -np.inf, np.float32))
        for some in (slice(i, i + LISTS_AT_A_TIME) for i in range(0, len(items), LISTS_AT_A_TIME)):
            own, n = items[some], len(items[some])
            one: Csr = sparse.csr_array((np.ones(n, np.float32), own, np.arange(n + 1)), shape=(n, len(self.known_)))
            found = self._found(one, one, k, allowed)
            positive = found.scores > 0
            top.items[some], top.scores[some] = (
                np.where(positive, found.items, -1),
                np.where(positive, found.scores, -np.inf),
            )
        return top

    def _found(self, history: Csr, seen: Csr, k: int, allowed: Bools | None) -> TopK:
        """The k highest scores for histories [b, n_items], without what `seen` stores."""
        from recmodels.compute.jit import parallel_for
        from recmodels.linear import filter_kernels
        from recmodels.scoring.kernels import TASKS, parts

        b = history.shape[0]
        weighed = self._weighed(history)
        spectrum = ((weighed @ self.vectors_) * self.response_).astype(np.float64)  # [b, r]
        top = TopK(np.full((b, k), -1, np.int32), np.full((b, k), -np.inf, np.float32))
        listed = self.known_ if allowed is None else self.known_ & allowed
        lengths = np.linalg.norm(spectrum, axis=1).astype(np.float32)
        model = spectrum, lengths, parts(weighed), parts(self.near_), self.vectors_, self.lengths_, self.after_, listed
        given = *model, parts(seen), top.items, top.scores
        parallel_for(partial(filter_kernels.filter_lists, *given), range(TASKS))
        return top

    def _restore(self, state: State) -> None:
        if "lengths_" not in state:  # of version 0.1
            state["lengths_"] = _lengths(state["vectors_"])
        super()._restore(state)

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
    turned = 2 * n_interactions * width * (ITERATIONS + 1) / 3  # a row of numbers at a time: a third of a step each
    orthonormal = (ITERATIONS + 2) * dense(n_items, width, width)
    kept = KEPT * n_items * min(neighbors, n_items)
    return turned + orthonormal + NEAREST * (gram(n_users, n_interactions) + kept)


def filter_memory(n_users: int, n_items: int, n_interactions: int, rank: int, neighbors: int) -> int:
    """Bytes that an `ItemFilter` adds at its peak: the subspace or the sparse rows while fitting, or the scores."""
    width = min(rank + OVERSAMPLING, n_users, n_items)
    task = 4 * COLUMNS_A_TASK * (3 * n_items + min(ROWS_AT_A_TIME, n_users))
    subspace = 8 * width * n_items + 2 * task + 24 * width**2 + 40 * BASIS_ROWS * width
    kept = 8 * n_items * min(neighbors, n_items)
    vectors = 4 * rank * n_items
    near = 12 * n_interactions + vectors + 2 * kept  # by item, and weighted by user; with the diagonal and without
    return max(4 * n_interactions + subspace, near, vectors + kept + SCORE_BYTES)


def _with_diagonal(matrix: Csr, diagonal: Floats) -> Csr:
    """A matrix [n, n] that stores nothing on its diagonal, and the diagonal; what is 0 is not stored."""
    n, sizes = len(diagonal), np.diff(matrix.indptr)
    data = np.empty(len(matrix.data) + n, np.float32)
    indices = np.empty(len(data), matrix.indices.dtype)
    for start, stop in chunks(sizes, NUMBERS_AT_A_TIME):  # np.insert takes 8 bytes an entry besides
        first, last = matrix.indptr[start], matrix.indptr[stop]
        some, rows = matrix.indices[first:last], np.arange(start, stop)
        row = np.repeat(rows, sizes[start:stop])
        place = matrix.indptr[start:stop] - first + np.bincount(row[some < row] - start, minlength=stop - start)
        data[first + start : last + stop] = np.insert(matrix.data[first:last], place, diagonal[start:stop])
        indices[first + start : last + stop] = np.insert(some, place, rows)
    indptr = matrix.indptr + np.arange(n + 1, dtype=matrix.indptr.dtype)
    whole: Csr = sparse.csr_array((data, indices, indptr), shape=(n, n))
    whole.eliminate_zeros()
    return whole


def _lengths(vectors: Floats) -> Floats:
    """The length of each row: float32 [n]."""
    return norms_of(vectors, "An item").astype(np.float32)


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
