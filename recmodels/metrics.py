"""How good lists are, measured against what users went on to do; one definition of each metric, for everybody.

Relevance is binary. With h_r = 1 where the item at rank r is relevant, k places and n relevant items:

- ndcg       sum over r of h_r / log2(r + 1), divided by what min(k, n) hits in front would give
- recall     hits / n
- precision  hits / k, however short the list
- hit_rate   1 if there is any hit
- map        sum over the hits of (hits up to r) / r, divided by min(k, n)
- mrr        1 / rank of the first hit, 0 without one
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.dataset import Ints

METRICS = ("ndcg", "recall", "precision", "hit_rate", "map", "mrr")

GROUPS = 10_000
"""Above so many users the bootstrap resamples this many random groups of users instead: as good, and fast."""

Metric = NDArray[np.float64]


def per_user(items: Ints, truth: sparse.csr_array[Any, tuple[int, int]]) -> dict[str, Metric]:
    """Each of METRICS for each user: float64 [n].

    `items` [n, k] are ranked lists with -1 in empty places; the stored entries of `truth` [n, n_items] are relevant.
    Raises ValueError for a user with nothing relevant (leave those out, and count them) and for a repeated item.
    """
    n, k = items.shape
    if truth.shape[0] != n:
        raise ValueError(f"There are lists for {n} users and relevant items for {truth.shape[0]}.")
    relevant = np.diff(truth.indptr)
    if n and relevant.min() == 0:
        raise ValueError(f"Row {int(relevant.argmin())} has no relevant item; leave such users out.")
    ranked = np.sort(items, axis=1)
    if ((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0)).any():
        raise ValueError("A list names an item twice.")
    hits = _hits(items, truth)  # [n, k]
    rank = np.arange(1, k + 1)
    discount = 1 / np.log2(rank + 1)
    reachable = np.minimum(k, relevant)
    count = hits.sum(axis=1)
    first = np.where(count > 0, hits.argmax(axis=1) + 1, np.inf)
    return {
        "ndcg": hits @ discount / np.cumsum(discount)[reachable - 1],
        "recall": count / relevant,
        "precision": count / k,
        "hit_rate": (count > 0).astype(np.float64),
        "map": (hits * np.cumsum(hits, axis=1) / rank).sum(axis=1) / reachable,
        "mrr": 1 / first,
    }


def coverage(items: Ints, n_items: int) -> float:
    """Share of `n_items` (those that could be recommended) that appear in any of the lists [n, k]."""
    return len(np.unique(items[items >= 0])) / n_items


def bootstrap_interval(values: Metric, seed: int, level: float = 0.95, resamples: int = 1000) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over users (Efron, 1979): (low, high).

    Beyond GROUPS users, whole groups of users drawn at random are resampled: the variance of the mean is the same,
    the cost does not depend on the number of users. Raises ValueError without values.
    """
    if len(values) == 0:
        raise ValueError("There is no user to measure.")
    rng = np.random.default_rng(seed)
    groups = min(len(values), GROUPS)
    sizes = np.full(groups, len(values) // groups)
    sizes[: len(values) % groups] += 1
    starts = np.cumsum(sizes) - sizes
    sums = np.add.reduceat(rng.permutation(values), starts)
    means = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(0, groups, groups)
        means[i] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _hits(items: Ints, truth: sparse.csr_array[Any, tuple[int, int]]) -> NDArray[np.bool_]:
    n = len(items)
    n_items = truth.shape[1]
    key = np.arange(n, dtype=np.int64)[:, None] * n_items + items  # unique for each (user, item)
    relevant = np.repeat(np.arange(n, dtype=np.int64), np.diff(truth.indptr)) * n_items + truth.indices
    return np.isin(key, relevant) & (items >= 0)
