"""Accuracy of ranked lists against what users went on to interact with; the one definition of each metric.

Relevance is binary. With h_r = 1 where the item at rank r is relevant, k places and n relevant items:

- ndcg           sum over r of h_r / log2(r + 1), divided by what min(k, n) hits in front would give
- recall         hits / n
- recall_capped  hits / min(k, n)
- precision      hits / k, however short the list
- hit_rate       1 if there is any hit
- map            sum over the hits of (hits up to r) / r, divided by min(k, n)
- mrr            1 / rank of the first hit, 0 without one

`ndcg_graded` weighs hits by their rating, `auc` measures scores of all items. Sources: docs/evaluation.md.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Bools, Ints, Truth

METRICS = ("ndcg", "recall", "recall_capped", "precision", "hit_rate", "map", "mrr")

ENTRIES_AT_A_TIME = 2_000_000
"""Entries of lists that are measured at a time, which bounds the memory."""

Metric = NDArray[np.float64]


def per_user(items: Ints, truth: Truth) -> dict[str, Metric]:
    """Each of METRICS for each user: float64 [n].

    `items` [n, k] are ranked lists with -1 in empty places; the stored entries of `truth` [n, n_items] are relevant,
    an entry that is stored twice as much as one stored once. Raises TypeError for ids that are no dense indices, and
    ValueError for a user with nothing relevant (leave those out, and count them), a repeated or an unknown item.
    """
    hits, _, truth = matched(items, truth)
    return of_hits(hits, np.diff(truth.indptr))


def of_hits(hits: Bools, relevant: Ints) -> dict[str, Metric]:
    """The same from which places are hits [n, k], and how many items are relevant to each user [n]."""
    if len(relevant) and relevant.min() == 0:
        raise ValueError(f"Row {int(relevant.argmin())} has no relevant item; leave such users out.")
    size = max(1, ENTRIES_AT_A_TIME // max(1, hits.shape[1]))
    parts = [_of_part(hits[i : i + size], relevant[i : i + size]) for i in range(0, max(1, len(hits)), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def _of_part(hits: Bools, relevant: Ints) -> dict[str, Metric]:
    k = hits.shape[1]
    rank = np.arange(1, k + 1)
    discount = 1 / np.log2(rank + 1)
    reachable = np.minimum(k, relevant)
    count = hits.sum(axis=1)
    first = np.where(count > 0, hits.argmax(axis=1) + 1, np.inf)
    # The same sums in the same order above and below: a perfect list gives exactly 1.
    return {
        "ndcg": np.cumsum(hits * discount, axis=1)[:, -1] / np.cumsum(discount)[reachable - 1],
        "recall": count / relevant,
        "recall_capped": count / reachable,
        "precision": count / k,
        "hit_rate": (count > 0).astype(np.float64),
        "map": (hits * np.cumsum(hits, axis=1) / rank).sum(axis=1) / reachable,
        "mrr": 1 / first,
    }


def ndcg_graded(items: Ints, truth: Truth) -> Metric:
    """NDCG with the gain of a hit its value in `truth` (a rating above 0), over the best min(k, n) gains: [n].

    Linear gains, as in Jarvelin and Kekalainen (2002). Of an entry stored twice the larger value counts. Users
    without a gain are refused as in `per_user`.
    """
    row = np.repeat(np.arange(truth.shape[0]), np.diff(truth.indptr))
    gains = truth.data.astype(np.float64)
    if (gains < 0).any() or not np.isfinite(gains).all():
        raise ValueError("A gain is negative or not finite; give ratings from 0.")
    order = np.lexsort((-gains, truth.indices, row))
    row, item, gains = row[order], truth.indices[order], gains[order]
    first = np.ones(len(row), np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (item[1:] != item[:-1])
    row, item, gains = row[first], item[first], gains[first]
    if (empty := np.bincount(row, gains, truth.shape[0]) == 0).any():
        raise ValueError(f"Row {int(empty.argmax())} has no relevant item; leave such users out.")
    graded: Truth = sparse.csr_array((gains, (row, item)), shape=truth.shape)
    hits, _, graded = matched(items, graded)
    discount = 1 / np.log2(np.arange(2, items.shape[1] + 2))
    at, place = np.nonzero(hits)
    value = np.zeros(items.shape)
    key = np.repeat(np.arange(len(items), dtype=np.int64), np.diff(graded.indptr)) * truth.shape[1] + graded.indices
    value[at, place] = graded.data[np.searchsorted(key, at * np.int64(truth.shape[1]) + items[at, place])]
    best = np.lexsort((-gains, row))
    rank = np.arange(len(row)) - np.repeat(graded.indptr[:-1], np.diff(graded.indptr))
    ideal = np.zeros(items.shape)
    within = rank < items.shape[1]
    ideal[row[best][within], rank[within]] = gains[best][within]
    return np.cumsum(value * discount, axis=1)[:, -1] / np.cumsum(ideal * discount, axis=1)[:, -1]


def auc(scores: NDArray[np.floating[Any]], truth: Truth, excluded: Truth | None = None) -> Metric:
    """The chance that a relevant item is scored above one that is not, ties counting half: [n].

    `scores` [n, n_items] of all items, without those stored in `excluded` (the user's history). The Mann-Whitney
    statistic, as BPR (Rendle et al., 2009) reports it. NaN for users for whom all items are relevant, or none.
    """
    from scipy.stats import rankdata

    if scores.shape != truth.shape:
        raise ValueError(f"There are scores {scores.shape} and relevant items {truth.shape}.")
    if np.isnan(scores).any():
        raise ValueError("A score is not a number.")
    relevant = _marked(truth)
    candidates = np.ones(scores.shape, np.bool_) if excluded is None else ~_marked(excluded)
    relevant &= candidates
    order = rankdata(scores, method="dense", axis=1)  # from 1, also of a score of -inf
    rank = rankdata(np.where(candidates, order, 0), axis=1)
    outside = (~candidates).sum(axis=1)
    positive = relevant.sum(axis=1)
    negative = candidates.sum(axis=1) - positive
    above = np.where(relevant, rank - outside[:, None], 0).sum(axis=1) - positive * (positive + 1) / 2
    with np.errstate(invalid="ignore"):
        area: Metric = above / np.where(positive * negative > 0, positive * negative, np.nan)
    return area


def _marked(matrix: Truth) -> Bools:
    marked = np.zeros(matrix.shape, np.bool_)
    marked[np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices] = True
    return marked


def matched(items: Ints, truth: Truth) -> tuple[Bools, Bools, Truth]:
    """Which places are hits [n, k], which relevant items were found [entries], and the truth without duplicates.

    Raises as `per_user` does, but for users with nothing relevant.
    """
    items = np.asarray(items)
    if items.ndim != 2 or not np.issubdtype(items.dtype, np.integer):
        raise TypeError(f"Lists are rows of item indices (whole numbers), not {items.ndim}-dimensional {items.dtype}.")
    if truth.shape[0] != len(items):
        raise ValueError(f"There are lists for {len(items)} users and relevant items for {truth.shape[0]}.")
    if not truth.has_canonical_format:
        truth = truth.copy()
        truth.sum_duplicates()
    n_items = truth.shape[1]
    if len(items) and items.shape[1] and items.max() >= n_items:
        raise ValueError(f"Item index {int(items.max())} is not one of the {n_items} items.")
    hits, found = np.zeros(items.shape, np.bool_), np.zeros(truth.nnz, np.bool_)
    size = max(1, ENTRIES_AT_A_TIME // max(1, items.shape[1]))
    for start in range(0, len(items), size):
        part = items[start : start + size]
        ranked = np.sort(part, axis=1)
        if ((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0)).any():
            raise ValueError("A list names an item twice.")
        indptr = truth.indptr[start : start + size + 1]
        within = slice(indptr[0], indptr[-1])
        row = np.arange(len(part), dtype=np.int64) * n_items
        relevant = np.repeat(row, np.diff(indptr)) + truth.indices[within]  # a number for each pair, ascending
        listed = np.where(part >= 0, row[:, None] + part, -1)
        at = np.searchsorted(relevant, listed)
        hits[start : start + size] = np.append(relevant, -2)[at] == listed
        found[within][at[hits[start : start + size]]] = True
    return hits, found, truth


def coverage(items: Ints, n_items: int) -> float:
    """Share of `n_items` (those that could be recommended) that appear in any of the lists [n, k]; 0 if none could."""
    return len(np.unique(items[items >= 0])) / max(1, n_items)
