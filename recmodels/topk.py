"""The one exact top-k routine: the k best of each row, ties broken by the smaller index."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.dataset import Bools, Csr, Floats, Ints

Longs: TypeAlias = NDArray[np.int64]


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


def keep_top(matrix: Csr, k: int) -> Csr:
    """The sparse matrix with only the k largest stored values of each row, ties by the smaller column."""
    lengths = np.diff(matrix.indptr)
    n, width = len(lengths), int(lengths.max(initial=0))
    padded = np.full((n, width), -np.inf, np.float32)  # the rows, packed to the left
    padded[np.arange(width) < lengths[:, None]] = matrix.data
    bound = _lower_bound(padded, k) if width else np.empty(n, np.float32)
    rows = np.repeat(np.arange(n), lengths)
    found = np.flatnonzero(matrix.data >= bound[rows])
    rows = rows[found]
    order, _ = _ranked(rows, matrix.indices[found], matrix.data[found], n, k)
    kept = np.sort(found[order])
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows[order], minlength=n))))
    best: Csr = sparse.csr_array((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)
    best.sort_indices()
    return best


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
        raise ValueError(f"Row {row} of the scores holds NaN or +inf: the model has diverged; look at its parameters.")
    lowest = np.finfo(np.float32).min
    if k >= blocks:
        return np.full(n, lowest, np.float32)
    return np.maximum(np.partition(maxima, blocks - k, axis=1)[:, blocks - k], lowest)


def _rank_in_row(rows: Longs, n: int, counted: Bools | None = None) -> Longs:
    """How many (counted) entries of the same row come before each entry; rows ascend."""
    before = np.concatenate(([0], np.cumsum(np.ones(len(rows), np.int64) if counted is None else counted)))
    starts = np.searchsorted(rows, np.arange(n))
    return before[:-1] - before[starts[rows]]
