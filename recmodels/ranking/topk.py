"""The one exact top-k routine: the k best of each row, ties broken by the smaller index."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.compute import device
from recmodels.data.arrays import Bools, Csr, Floats, Ints, Longs, empty_matrix

Product: TypeAlias = Callable[[Floats, Floats, Floats], None]  # users [b, f], items [w, f], scores [b, w]: written

USERS, ITEMS, FIRST_ITEMS = 1024, 512, 4096
"""The scores of so many users and items are computed at a time, 2 MB: they are compared while a cache holds them. The
first part is larger, so that a list starts from good items and few of the others reach it."""

MANY = 2**23
"""Scores from which on a compiled kernel selects: it takes half a second and 150 MB to load, numpy takes twice as long
for each score, and one core."""

ROWS = 32  # of dense scores: what a thread selects from at a time
NOT_FINITE = "Row {} of the scores holds NaN or infinity: the model has diverged; look at its parameters."

ENOUGH = 1e13
"""Floating point operations from which on it pays to load torch, to see whether its product is the faster one."""


@dataclass(frozen=True, eq=False)
class TopK:
    """Ranked lists, best first: where a list is shorter than k, item -1 with score -inf fills it up."""

    items: Ints  # [n, k]
    scores: Floats  # [n, k], non-increasing along a row


def top_k(scores: Floats, k: int) -> TopK:
    """The k highest scores of each row of a dense [n, m] matrix; -inf is never returned, k may exceed m.

    Exact and in linear time: the k-th largest of the maxima of disjoint blocks is a lower bound of the k-th
    largest score, so that only the few scores that reach it need sorting. Raises ValueError for NaN or +inf.
    """
    n, m = scores.shape
    items, best = np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32)
    if n == 0 or m == 0:
        return TopK(items, best)
    if scores.size >= MANY:
        _select_rows(scores, items, best)
        return TopK(items, best)
    bound = _lower_bound(scores, k)
    found = np.flatnonzero(scores >= bound[:, None])  # row by row, columns ascending
    rows, values = found // m, scores.ravel()[found]
    if len(found) > 4 * n * k:  # many ties at the bound: of these, the first k of each row are enough
        keep = (values > bound[rows]) | (_rank_in_row(rows, n, values == bound[rows]) < k)
        found, rows, values = found[keep], rows[keep], values[keep]
    columns = found - rows * m
    order, rank = _ranked(rows, columns, values, n, k)
    items[rows[order], rank] = columns[order]
    best[rows[order], rank] = values[order]
    return TopK(items, best)


def _select_rows(scores: Floats, items: Ints, best: Floats) -> None:
    from recmodels.compute.jit import parallel_for
    from recmodels.ranking import topk_kernels as kernels

    def work(start: int) -> None:
        bad = kernels.select_rows(scores, start, min(start + ROWS, len(scores)), items, best)
        if bad >= 0:
            raise ValueError(NOT_FINITE.format(bad))

    parallel_for(work, range(0, len(scores), ROWS))


def top_products(
    users: Floats, vectors: Floats, k: int, *, choice: Ints | None = None, seen: Csr | None = None
) -> TopK:
    """The k items of the highest products with each user: users [n, f], vectors [n_items, f].

    Only the items `choice` (default: all) are listed, and for each user none of those stored in its row of `seen`
    [n, n_items]. Exact: matrix products and bounds only propose items, whose scores are then summed up in one fixed
    order. So neither batches nor threads nor the device change a list. Raises ValueError for NaN or infinity.
    """
    n = len(users)
    top = TopK(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))
    labels = np.arange(len(vectors), dtype=np.int32) if choice is None else choice
    if n == 0 or len(labels) == 0:
        return top
    search = _Search(users, vectors, labels, empty_matrix(n, 1) if seen is None else seen, top)
    left = search.rank_proposals(device.name()) if device.cuda() else np.arange(n, dtype=np.int32)
    search.scan(left)
    return top


class _Search:
    """One call of `top_products`: its items, the longest vector first, and the lists so far as heaps."""

    def __init__(self, users: Floats, vectors: Floats, labels: Ints, seen: Csr, top: TopK) -> None:
        self.users, self.seen, self.top = np.ascontiguousarray(users), seen, top
        self.lengths, norms = _norms(self.users, "user"), _norms(vectors[labels], "item")
        order = np.argsort(-norms, kind="stable")
        self.labels, self.norms = labels[order], norms[order]
        self.vectors = vectors[self.labels]
        # Two ways to sum up f products differ by less than this (Higham, Accuracy and Stability, section 3.1):
        doubt = 2 * (users.shape[1] + 1) * np.finfo(np.float32).eps
        self.slacks = (doubt * self.lengths * self.norms[0]).astype(np.float32)
        self.filled = np.zeros(len(users), np.int32)

    def scan(self, rows: Ints) -> None:
        """Complete the lists of some rows, USERS at a time, ITEMS at a time."""
        from recmodels.compute.jit import one_blas_thread, parallel_for
        from recmodels.ranking import topk_kernels as kernels

        multiply = _faster_product(2.0 * len(rows) * self.vectors.size)

        def work(start: int) -> None:
            mine = rows[start : start + USERS]
            self._scan(mine, multiply)
            kernels.rank_some(mine, self.top.items, self.top.scores, self.filled)

        with one_blas_thread():
            parallel_for(work, range(0, len(rows), USERS))

    def _scan(self, active: Ints, multiply: Product) -> None:
        from recmodels.ranking import topk_kernels as kernels

        k, m = self.top.items.shape[1], len(self.labels)
        scores = np.empty(len(active) * min(FIRST_ITEMS, m), np.float32)
        for first in (0, *range(FIRST_ITEMS, m, ITEMS)):
            # |u||v| bounds a score, and no vector from here on is longer
            bound = self.lengths[active] * self.norms[first] + self.slacks[active]
            active = active[(self.filled[active] < k) | (bound >= self.top.scores[active, 0])]
            if len(active) == 0:
                return
            part = slice(first, first + (ITEMS if first else FIRST_ITEMS))
            labels, vectors = self.labels[part], self.vectors[part]
            rough = scores[: len(active) * len(labels)].reshape(len(active), len(labels))
            multiply(self.users[active], vectors, rough)
            bad = kernels.select(
                rough, active, self.users, vectors, labels, self.slacks, self.seen.indptr, self.seen.indices,
                self.top.items, self.top.scores, self.filled,
            )  # fmt: skip
            if bad >= 0:
                raise ValueError(NOT_FINITE.format(bad))

    def rank_proposals(self, where: str) -> Ints:
        """Make the lists from what a device of torch's proposes; which rows it was not certain of, and are not made."""
        from recmodels.compute.jit import parallel_for
        from recmodels.ranking import topk_kernels as kernels
        from recmodels.ranking import topk_torch

        k = self.top.items.shape[1]
        places = np.full(max(self.labels.max() + 1, self.seen.shape[1]), -1, np.int32)
        places[self.labels] = np.arange(len(self.labels), dtype=np.int32)
        left = []
        for start, items, certain in topk_torch.propose(
            self.users, self.vectors, k, places, self.seen, self.slacks, where
        ):
            batch = np.arange(start, start + len(certain), dtype=np.int32)
            left.append(batch[~certain])
            rows = batch[certain]

            def work(at: int, rows: Ints = rows, proposed: Ints = items[certain]) -> None:
                part = slice(at, at + USERS)
                bad = kernels.rank_proposed(
                    rows[part], proposed[part], self.users, self.vectors, self.labels, self.top.items, self.top.scores
                )
                if bad >= 0:
                    raise ValueError(NOT_FINITE.format(bad))

            parallel_for(work, range(0, len(rows), USERS))
        return np.concatenate(left)


def _norms(vectors: Floats, whose: str) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    if not np.isfinite(norms).all():
        raise ValueError(f"An {whose} vector holds NaN or infinity: the model has diverged; look at its parameters.")
    return norms


def _ranked(rows: Longs, columns: NDArray[Any], values: Floats, n: int, k: int) -> tuple[Longs, Longs]:
    """The k best entries of each row, row by row, and the rank of each, from 0; entries come row by row."""
    order = np.lexsort((columns, -values, rows))
    rank = _rank_in_row(rows, n)
    return order[rank < k], rank[rank < k]


def _lower_bound(scores: Floats, k: int) -> Floats:
    """A value for each row that at least k of its scores reach, or the lowest finite number: float32 [n]."""
    n, m = scores.shape
    width = max(min(m // max(8 * k, 64), 64), 1)  # scores a block: many more blocks than k, for a tight bound
    blocks = m // width
    maxima = scores[:, : blocks * width].reshape(n, width, blocks).max(axis=1)  # block j: columns j, j + blocks, ...
    rest = scores[:, blocks * width :]  # fewer columns than blocks
    np.maximum(maxima[:, : rest.shape[1]], rest, out=maxima[:, : rest.shape[1]])
    highest = maxima.max(axis=1)  # a NaN anywhere in the row ends up here
    if not (highest < np.inf).all():
        row = int(np.argmin(highest < np.inf))
        raise ValueError(NOT_FINITE.format(row))
    lowest = np.finfo(np.float32).min
    if k >= blocks:
        return np.full(n, lowest, np.float32)
    return np.maximum(np.partition(maxima, blocks - k, axis=1)[:, blocks - k], lowest)


def _rank_in_row(rows: Longs, n: int, counted: Bools | None = None) -> Longs:
    """How many (counted) entries of the same row come before each entry; rows ascend."""
    before = np.concatenate(([0], np.cumsum(np.ones(len(rows), np.int64) if counted is None else counted)))
    starts = np.searchsorted(rows, np.arange(n))
    return before[:-1] - before[starts[rows]]


def _numpy_product(users: Floats, items: Floats, scores: Floats) -> None:
    np.matmul(users, items.T, out=scores)


def _torch_product(users: Floats, items: Floats, scores: Floats) -> None:
    import torch

    torch.mm(torch.from_numpy(users), torch.from_numpy(items).T, out=torch.from_numpy(scores))


def _faster_product(operations: float) -> Product:
    """numpy's product or torch's, whichever is faster here: timed once a process, where that is worth the while."""
    return _timed_product() if "torch" in sys.modules or operations > ENOUGH else _numpy_product


@cache
def _timed_product() -> Product:
    from recmodels.compute.jit import one_blas_thread

    users, items = np.ones((USERS, 128), np.float32), np.ones((ITEMS, 128), np.float32)
    scores = np.empty((USERS, ITEMS), np.float32)
    seconds: dict[Product, float] = {}
    with one_blas_thread():
        for product in (_numpy_product, _torch_product):
            for _ in range(5):
                start = time.perf_counter()
                product(users, items, scores)
                seconds[product] = min(time.perf_counter() - start, seconds.get(product, np.inf))
    return min(seconds, key=lambda product: seconds[product])
