"""Beyond accuracy: how much of the catalogue lists show, and how popular, novel and personal they are.

Everything follows from ranked lists `items` [n, k] (-1 in empty places) and counts of the training split; the
formulas and their sources are in docs/evaluation.md. Figures of a user are [n], NaN for one without a list.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Ints

Figures = NDArray[np.float64]
Counts = NDArray[np.integer[Any]]


def exposure(items: Ints, n_items: int) -> Counts:
    """In how many lists each item is: [n_items]."""
    return np.bincount(items[items >= 0], minlength=n_items)


def gini(shown: Counts | Figures) -> float:
    """Gini coefficient of the exposure of the items that could be shown [m]: 0 if equal, near 1 if one item has it all.

    sum over i of (2 i - m - 1) x_i / (m sum of x), x ascending (Fleder and Hosanagar, 2009); 0 where nothing is shown.
    """
    m, total = len(shown), float(shown.sum())
    if total == 0:
        return 0.0
    return float(((2 * np.arange(1, m + 1) - m - 1) * np.sort(shown)).sum() / (m * total))


def average_popularity(items: Ints, users_of_item: Counts, n_users: int) -> Figures:
    """Mean share of the `n_users` that interacted with the items of a list (Abdollahpouri et al., 2019): [n]."""
    return mean_of(items, users_of_item / max(1, n_users))


def novelty(items: Ints, users_of_item: Counts, n_users: int) -> Figures:
    """Mean self-information -log2(share of users that interacted with it), in bits (Zhou et al., 2010): [n].

    An item without interactions counts as one with a single user.
    """
    return mean_of(items, -np.log2(np.maximum(users_of_item, 1) / max(1, n_users)))


def cold_share(items: Ints, users_of_item: Counts) -> Figures:
    """Share of a list's items without interactions in the training split (cold-start items): [n]."""
    return mean_of(items, (users_of_item == 0).astype(np.float64))


def serendipity(items: Ints, hits: Bools, users_of_item: Counts) -> Figures:
    """Hits that are none of the k most popular items, divided by k (Ge et al., 2010, popularity as the primitive): [n].

    Of items equally popular the one with the smaller index is the more popular.
    """
    k = items.shape[1]
    obvious = np.zeros(len(users_of_item), np.bool_)
    obvious[np.lexsort((np.arange(len(users_of_item)), -users_of_item))[:k]] = True
    share: Figures = (hits & ~obvious[items]).sum(axis=1) / k
    return share


def personalisation(items: Ints, n_items: int) -> float:
    """1 - the mean over all pairs of lists of their common items / k (Zhou et al., 2008, inter-user diversity).

    The common items of all pairs are counted by item: one shown c times is common to c (c - 1) / 2 pairs.
    NaN for fewer than two lists.
    """
    n, k = items.shape
    if n < 2:
        return float("nan")
    shown = exposure(items, n_items).astype(np.float64)
    return float(1 - (shown * (shown - 1)).sum() / (n * (n - 1.0) * k))


def identical_share(items: Ints) -> float:
    """Share of the lists that are, place by place, also somebody else's; 0 without lists."""
    if not len(items):
        return 0.0
    _, same, count = np.unique(_digests(items), return_inverse=True, return_counts=True)
    return float((count[same.ravel()] > 1).mean())


def _digests(items: Ints) -> NDArray[np.uint64]:
    """A number for each list: equal for equal lists, and else different but for a chance in 2^64 or so a pair."""
    drawn = np.random.default_rng(0).integers(1, 2**62, items.shape[1]).astype(np.uint64)
    factors = np.asarray(drawn * 2 + 1, np.uint64)  # odd, so that no product loses a bit
    digest = np.zeros(len(items), np.uint64)
    for place in range(items.shape[1]):
        digest ^= digest >> np.uint64(29)
        digest = (digest + (items[:, place].astype(np.int64) + 2).astype(np.uint64)) * factors[place]
    return digest


def mean_of(items: Ints, value: Figures) -> Figures:
    """The mean of `value` [n_items] over the items of each list: [n], NaN for an empty one."""
    there = items >= 0
    total = np.where(there, value[items], 0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean: Figures = total / np.where(there.any(axis=1), there.sum(axis=1), np.nan)
    return mean
