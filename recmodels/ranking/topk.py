"""The k best of each row of dense scores, exactly; ties are broken by the smaller index."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Floats, Ints, Longs

COMPILED_FROM = 2**23
"""Number of scores from which on a compiled kernel selects: it takes half a second and 150 MB to load, numpy takes
twice as long for each score, and one core."""

ROWS_PER_TASK = 32  # of the scores: what a thread selects from at a time
NOT_FINITE = "Row {} of the scores holds NaN or infinity: the model has diverged; look at its parameters."


@dataclass(frozen=True, eq=False)
class TopK:
    """Ranked lists, best first: where a list is shorter than k, item -1 with score -inf fills it up."""

    items: Ints  # [n, k]
    scores: Floats  # [n, k], non-increasing along a row


def nothing(n: int, k: int) -> TopK:
    """Lists without an item, n of length k."""
    return TopK(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))


def joined(lists: list[TopK]) -> TopK:
    """The lists of several batches of users, one after another."""
    return TopK(np.concatenate([top.items for top in lists]), np.concatenate([top.scores for top in lists]))


def top_k(scores: Floats, k: int) -> TopK:
    """The k highest scores of each row of a dense [n, m] matrix; -inf is never returned, k may exceed m.

    Exact and in linear time: the k-th largest of the maxima of disjoint blocks is a lower bound of the k-th
    largest score, so that only the few scores that reach it need sorting. Raises ValueError for NaN or +inf.
    """
    n, m = scores.shape
    items, best = np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32)
    if n == 0 or m == 0:
        return TopK(items, best)
    if scores.size >= COMPILED_FROM:
        _select_rows(scores, items, best)
        return TopK(items, best)
    bound = _lower_bound(scores, k)
    found = np.flatnonzero(scores >= bound[:, None])  # row by row, columns ascending
    rows, values = found // m, scores.ravel()[found]
    if len(found) > 4 * n * k:  # many ties at the bound: of these, the first k of each row are enough
        keep = (values > bound[rows]) | (_rank_in_row(rows, n, values == bound[rows]) < k)
        found, rows, values = found[keep], rows[keep], values[keep]
    columns = found - rows * m
    order, rank = ranked(rows, columns, values, n, k)
    items[rows[order], rank] = columns[order]
    best[rows[order], rank] = values[order]
    return TopK(items, best)


def _select_rows(scores: Floats, items: Ints, best: Floats) -> None:
    from recmodels.compute.jit import parallel_for
    from recmodels.ranking import topk_kernels as kernels

    def work(start: int) -> None:
        bad = kernels.select_rows(scores, start, min(start + ROWS_PER_TASK, len(scores)), items, best)
        if bad >= 0:
            raise ValueError(NOT_FINITE.format(bad))

    parallel_for(work, range(0, len(scores), ROWS_PER_TASK))


def ranked(rows: Longs, columns: NDArray[Any], values: Floats, n: int, k: int) -> tuple[Longs, Longs]:
    """The k best entries of each of n rows, row by row, and the rank of each, from 0; entries come row by row."""
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
