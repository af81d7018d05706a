"""What lists do over time: who is shown, how popular and how alike lists become, and how varied people's choices stay.

Lists `items` [n, k] have -1 in empty places; `distribution` arguments are counts or shares that need not add up to 1.
"""

from dataclasses import dataclass

import numpy as np

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


def entropy(counts: Figures) -> Figures:
    """The Shannon entropy of each row's distribution, in bits: [n], NaN for an empty one.

    Of what each user chose it is how varied people are individually; of what all chose together, as one row, it is how
    varied they are collectively.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = counts / counts.sum(axis=1, keepdims=True)
        bits = -np.where(p > 0, p * np.log2(p), 0.0).sum(axis=1)
    return np.where(counts.sum(axis=1) > 0, bits, np.nan)


@dataclass(frozen=True)
class Slope:
    """How much a figure changes a night: least squares, with the interval over resampled users."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval is on one side of 0."""
        return self.low > 0 or self.high < 0


def slope(
    figures: Figures, nights: Figures | None = None, *, confidence: float = 0.95, draws: int = 1_000, seed: int = 0
) -> Slope:
    """The trend over nights of the mean over users of a figure.

    The same users are compared over time: with each drawn sample of users goes all they did, so that differences
    between users are no noise (paired bootstrap).

    Args:
        figures: the figure of each user on each night, NaN where there is none, `[n_users, n_nights]`.
        nights: when they were, in days, `[n_nights]`; one after the other by default.
        confidence: of the interval.
        draws: samples of users.
        seed: of the draws.
    """
    n_users, n_nights = figures.shape
    days = np.arange(n_nights, dtype=np.float64) if nights is None else nights
    there = ~np.isnan(figures)
    known = np.where(there, figures, 0.0)
    random = np.random.default_rng(seed)
    counts = random.multinomial(n_users, np.full(n_users, 1 / n_users), size=draws) if n_users else np.zeros((draws, 0))
    weights = np.vstack([np.ones(n_users), counts]).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights @ known) / (weights @ there)  # [1 + draws, n_nights]
    slopes = np.array([_least_squares(days, one) for one in means])
    low, high = np.nanquantile(slopes[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    return Slope(float(slopes[0]), float(low), float(high))


def _least_squares(days: Figures, means: Figures) -> float:
    known = ~np.isnan(means)
    x, y = days[known], means[known]
    if len(x) < 2:
        return float("nan")
    centered = x - x.mean()
    return float(centered @ y / (centered @ centered))


def _relative_entropy(p: Figures, q: Figures) -> float:
    """Of p from q, in bits; q is above 0 wherever p is."""
    if np.isnan(p).any() or np.isnan(q).any():
        return float("nan")
    positive = p > 0
    return float((p[positive] * np.log2(p[positive] / q[positive])).sum())
