"""What lists do over time: who is shown, how popular and how alike lists become, and how varied people's choices stay.

Lists `items` [n, k] have -1 in empty places; `distribution` arguments are counts or shares that need not add up to 1.
"""

from typing import Any

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Ints
from recmodels.metrics.beyond_accuracy import Figures, mean_of

SMOOTHING = 0.01  # of calibration, as Steck chose it


def discounted_exposure(items: Ints, n_items: int, patience: float | None = None) -> Figures:
    """The exposure of each item over all lists, by how likely its places are looked at: [n_items].

    A place counts 1 / log₂(place + 1), as in NDCG, or with a `patience` its (place - 1)th power (Moffat & Zobel, 2008).
    """
    places = np.arange(items.shape[1])
    weights = 1 / np.log2(places + 2) if patience is None else patience ** places.astype(np.float64)
    row, place = np.nonzero(items >= 0)
    return np.bincount(items[row, place], weights[place], n_items).astype(np.float64)


def unseen_share(exposures: Figures) -> float:
    """The share of the items that were in no list on any of some nights; `exposures` is [n_nights, n_items]."""
    return float((exposures.sum(axis=0) == 0).mean()) if exposures.shape[1] else 0.0


def divergence(distribution: Figures, other: Figures) -> float:
    """The Jensen-Shannon divergence of two distributions, in bits, from 0 (the same) to 1; NaN where one is empty."""
    p, q = (one / one.sum() if one.sum() else np.full(len(one), np.nan) for one in (distribution, other))
    middle = (p + q) / 2
    return float((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def group_exposure(exposure: Figures, groups: Ints, n_groups: int) -> Figures:
    """The share of all exposure that each group of items (provider, category) has; `groups` is -1 for none: [n_groups].

    Compare it with a target by `divergence`: the attention-weighted rank fairness of Sapiezynski et al. (2019).
    """
    known = groups >= 0
    total = np.bincount(groups[known], exposure[known], n_groups).astype(np.float64)
    return total / total.sum() if total.sum() else total


def popularity_lift(items: Ints, profiles: Csr, popularity: Figures) -> float:
    """How much more popular lists are than what their users chose themselves (Abdollahpouri et al., 2019).

    (GAP of the lists - GAP of the profiles) / GAP of the profiles, where GAP is the mean over users of the mean
    `popularity` [n_items] of their items, `profiles` being [n, n_items]. Users without a list or profile are left out.
    """
    listed = mean_of(items, popularity)
    chosen = np.diff(profiles.indptr)
    total = np.add.reduceat(np.append(popularity[profiles.indices], 0), profiles.indptr[:-1]) if len(chosen) else chosen
    both = ~np.isnan(listed) & (chosen > 0)
    own = float((total[both] / chosen[both]).mean()) if both.any() else 0.0
    return (float(listed[both].mean()) - own) / own if own else float("nan")


def miscalibration(profile: Figures, listed: Figures, smoothing: float = SMOOTHING) -> Figures:
    """How far each list's mix of categories is from that of its user (Steck, 2018): [n], 0 where they are the same.

    The Kullback-Leibler divergence KL(p || (1 - s) q + s p), in nats, of the user's distribution over categories p
    [n, n_categories] from that of the list q, with the smoothing s; NaN where either is empty.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = (one / one.sum(axis=1, keepdims=True) for one in (profile, listed))
        mixed = (1 - smoothing) * q + smoothing * p
        terms = np.where(p > 0, p * np.log(p / mixed), 0.0)
    return np.where(np.isnan(p).any(axis=1) | np.isnan(q).any(axis=1), np.nan, terms.sum(axis=1))


def jaccard(items: Ints, pairs: Ints) -> Figures:
    """The items in both lists as a share of those in either, of each pair of users [n_pairs, 2].

    Where the same pairs are compared night after night, a mean that rises is homogenization (Chaney et al., 2018). NaN
    for two empty lists.
    """
    one, other = items[pairs[:, 0]], items[pairs[:, 1]]
    common = np.zeros(len(pairs))
    for place in range(items.shape[1]):
        wanted = one[:, place : place + 1]
        common += ((other == wanted) & (wanted >= 0)).any(axis=1)
    union = (one >= 0).sum(axis=1) + (other >= 0).sum(axis=1) - common
    shares: Figures = np.divide(common, union, out=np.full(len(pairs), np.nan), where=union > 0)
    return shares


def entropy(counts: Figures | Csr) -> Figures:
    """The Shannon entropy of each row's distribution, in bits: [n], NaN for an empty one.

    Of what each user chose it is how varied people are individually; of what all chose together, as one row, it is how
    varied they are collectively.
    """
    given: Any = counts
    rows = sparse.csr_array(given).astype(np.float64)
    total = np.asarray(rows.sum(axis=1))
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = rows.data / total[row]
        rows.data = -np.where(p > 0, p * np.log2(p), 0.0)
    return np.where(total > 0, np.asarray(rows.sum(axis=1)), np.nan)


def contributions(value: float, gradient: Figures, shares: Figures, weighted: Figures, totals: Figures) -> Figures:
    """What each user adds to a figure of how everybody's choices or exposure are shared out: [n].

    Their mean over all users is the figure, and their spread says how it varies with who the users are: the figure is
    linearized (its influence function, Hampel 1974), value + sum over g of gradient_g (n_ug - shares_g n_u) / mean n.

    Args:
        value: the figure, of the shares that groups or items g have.
        gradient: its derivative by the share of each, [n_groups]; a constant makes no difference.
        shares: what each group has of everything, [n_groups].
        weighted: the sum of the gradient over what is each user's, sum over g of gradient_g n_ug, [n].
        totals: how much is each user's, n_u [n]; NaN is returned where it is 0.
    """
    there = totals > 0
    mean = float(totals[there].mean()) if there.any() else 1.0
    return np.where(there, value + (weighted - float(gradient @ shares) * totals) / mean, np.nan)


def gini_gradient(shares: Figures) -> Figures:
    """The derivative of `gini` by the share of each item: [n_items]; items that are equal share their ranks."""
    m = len(shares)
    _, same, count = np.unique(shares, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Figures = (last - (count - 1) / 2)[same]
    return (2 * ranks - m - 1) / max(m, 1)


def divergence_gradient(shares: Figures, target: Figures) -> Figures:
    """The derivative of `divergence` by each of the shares, both of which add up to 1; 0 where a share is 0."""
    middle = (shares + target) / 2
    ratio = np.divide(shares, middle, out=np.ones(len(shares)), where=shares > 0)
    return np.log2(ratio) / 2


def entropy_gradient(shares: Figures) -> Figures:
    """The derivative of `entropy` by each of the shares, but for a constant; 0 where a share is 0."""
    return -np.log2(np.where(shares > 0, shares, 1.0))


def _relative_entropy(p: Figures, q: Figures) -> float:
    """Of p from q, in bits; q is above 0 wherever p is."""
    if np.isnan(p).any() or np.isnan(q).any():
        return float("nan")
    positive = p > 0
    return float((p[positive] * np.log2(p[positive] / q[positive])).sum())
