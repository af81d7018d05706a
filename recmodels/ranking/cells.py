"""Items in cells of similar ones, so that a user's list is looked for in a few of them: an index for many items."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Doubles, Floats, Ints, Longs
from recmodels.ranking.product_search import SearchedItems
from recmodels.ranking.topk import NOT_FINITE, TopK

ITEMS_A_CELL = 512
LEARNED_FROM = 32  # items a cell from which the centers are learned
ROUNDS = 4  # of k-means
USERS_A_TASK = 256
ROWS_AT_A_TIME = 2**13  # items that are compared with all centers at once
RIDGE = 1e-6  # of the users' mean square: no direction is without any


@dataclass(frozen=True, eq=False)
class Cells:
    """A partition of items, of each part the center and the radius.

    No product of a user with an item of a cell exceeds the one with its center by more than |u| times the radius, and
    few exceed it by more than a share of that. Lengths, centers and radii are those in a basis that leaves products as
    they are; items keep their own vectors.
    """

    turn: Floats  # [f, f]: a user's vector in the basis is u @ turn
    centers: Floats  # [c, f]
    radii: Floats  # [c]
    starts: Longs  # [c + 1]: where the items of each cell begin
    labels: Ints  # [n]
    vectors: Floats  # [n, f]
    cell_of: Ints  # [n]: of the items as they were given
    slack: np.float32  # how much two ways to sum up a product with a center may differ, for a user of length one

    def needed(self, users: Floats, cells: Ints, scores: Doubles) -> Doubles:
        """Which share of its radius makes a cell reach a score: of some cells [b, k] and scores [b], for users [b]."""
        centers, lengths = self._centers_of(users)
        own = np.take_along_axis(centers, cells, axis=1)
        room = np.maximum(lengths * self.radii[cells], np.finfo(np.float32).tiny)
        return (scores[:, None] - own - self.slack * lengths) / room

    def reaching(self, users: Floats, share: float, scores: Doubles) -> float:
        """How many items lie, on average, in cells that reach the scores [b] with that share of their radius."""
        centers, lengths = self._centers_of(users)
        bounds = centers + lengths * (share * self.radii + self.slack)
        return float(((bounds >= scores[:, None]) @ np.diff(self.starts)).mean())

    def _centers_of(self, users: Floats) -> tuple[Doubles, Doubles]:
        """Products of users with all centers [b, c], and the lengths of the users [b, 1]."""
        inside = (users @ self.turn).astype(np.float64)
        return inside @ self.centers.T, np.linalg.norm(inside, axis=1, keepdims=True)


def top_in_cells(users: Floats, cells: Cells, share: float, k: int, seen: Csr) -> TopK:
    """As `top_products`, from the items of cells that reach the list with that `share` of their radius.

    An item may be missed, the same for any batch and number of threads; the scores of the others are exact.
    """
    from recmodels.compute.jit import parallel_for
    from recmodels.ranking import topk_kernels as kernels

    n, users, radii = len(users), np.ascontiguousarray(users), cells.radii * np.float32(share)
    top = TopK(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))

    def work(start: int) -> None:
        bad = kernels.visit(
            users, start, min(start + USERS_A_TASK, n), cells.turn, cells.centers, radii, cells.slack, cells.starts,
            cells.labels, cells.vectors, seen.indptr, seen.indices, top.items, top.scores,
        )  # fmt: skip
        if bad >= 0:
            raise ValueError(NOT_FINITE.format(bad))

    parallel_for(work, range(0, n, USERS_A_TASK))
    return top


def make_cells(items: SearchedItems, users: Floats, seed: int) -> Cells:
    """Cells by k-means in the basis where distances say most about the scores of these users [b, f]."""
    turn, counter_turn = _balanced(users, items.vectors)
    vectors = np.concatenate([items.vectors[rows] @ counter_turn for rows in _blocks(len(items.vectors))])
    cell_of = _assigned(vectors, _centers(vectors, max(1, len(vectors) // ITEMS_A_CELL), seed))
    cell_of = np.unique(cell_of, return_inverse=True)[1].astype(np.int32)  # without empty cells
    centers, sizes = _means(vectors, cell_of)
    distances = np.concatenate([_lengths(vectors[rows] - centers[cell_of[rows]]) for rows in _blocks(len(vectors))])
    radii = np.zeros(len(centers), np.float32)
    np.maximum.at(radii, cell_of, distances)
    order = np.argsort(cell_of, kind="stable")  # within a cell the longest vector first, as `items` are
    slack = 2 * (users.shape[1] + 1) * np.finfo(np.float32).eps * _lengths(centers).max(initial=0)
    return Cells(
        turn=turn,
        centers=centers,
        radii=radii,
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        labels=items.labels[order],
        vectors=items.vectors[order],
        cell_of=cell_of,
        slack=np.float32(slack),
    )


def _balanced(users: Floats, items: Floats) -> tuple[Floats, Floats]:
    """Turns of users and of items after which both have the same diagonal matrix of second moments: [f, f] each.

    Those are the directions of the singular value decomposition of all scores, which are never made.
    """
    f = users.shape[1]
    of_users = _moments(users)
    of_users += (RIDGE * np.trace(of_users) / f + np.finfo(np.float32).tiny) * np.eye(f)
    lower = np.linalg.cholesky(of_users)
    squares, directions = np.linalg.eigh(lower.T @ _moments(items) @ lower)
    scale = np.maximum(squares, RIDGE * squares[-1] + np.finfo(np.float32).tiny) ** 0.25
    turn = np.linalg.solve(lower.T, directions) * scale
    return turn.astype(np.float32), np.linalg.inv(turn).T.astype(np.float32)


def _moments(vectors: Floats) -> Doubles:
    """The mean of the outer products: float64 [f, f]."""
    total = np.zeros((vectors.shape[1], vectors.shape[1]))
    for rows in _blocks(len(vectors)):
        block = vectors[rows].astype(np.float64)
        total += block.T @ block
    moments: Doubles = total / len(vectors)
    return moments


def _centers(vectors: Floats, n: int, seed: int) -> Floats:
    """Centers of n cells, learned from some of the vectors."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[: n * LEARNED_FROM])
    learned = vectors[chosen]
    centers = learned[:: max(1, len(learned) // n)][:n].copy()
    for _ in range(ROUNDS):
        means, sizes = _means(learned, _assigned(learned, centers), len(centers))
        centers = np.where(sizes[:, None] > 0, means, centers)
    return centers


def _means(vectors: Floats, cell_of: Ints, n: int | None = None) -> tuple[Floats, Longs]:
    """The mean vector of each cell, zeros where it is empty, and how many it has."""
    sizes = np.bincount(cell_of, minlength=n or 0)
    members: Csr = sparse.csr_array(
        (np.ones(len(cell_of), np.float32), (cell_of, np.arange(len(cell_of)))), shape=(len(sizes), len(cell_of))
    )
    means = np.empty((len(sizes), vectors.shape[1]), np.float32)
    np.divide(members @ vectors, np.maximum(sizes, 1)[:, None], out=means, casting="same_kind")
    return means, sizes


def _assigned(vectors: Floats, centers: Floats) -> Ints:
    """The nearest center of each vector, of equal ones the first."""
    from recmodels.compute.jit import one_blas_thread, parallel_for

    half = np.einsum("ij,ij->i", centers, centers) / 2
    nearest = np.empty(len(vectors), np.int32)

    def assign(start: int) -> None:
        part = slice(start, start + ROWS_AT_A_TIME)
        nearest[part] = (vectors[part] @ centers.T - half).argmax(axis=1)

    with one_blas_thread():
        parallel_for(assign, range(0, len(vectors), ROWS_AT_A_TIME))
    return nearest


def _lengths(vectors: Floats) -> Floats:
    lengths: Floats = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return lengths


def _blocks(n: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_A_TIME) for start in range(0, n, ROWS_AT_A_TIME)]
