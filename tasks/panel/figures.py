"""The figures of a night's panel: those of the night, and those of each user and pair that is followed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from recmodels.data.arrays import Bools, Csr, Ints
from recmodels.metrics.beyond_accuracy import Figures, gini, mean_of
from recmodels.metrics.long_term import (
    contributions,
    divergence,
    divergence_gradient,
    entropy,
    entropy_gradient,
    gini_gradient,
    group_exposure,
    miscalibration,
)
from tasks.panel.exposed import Exposed

AT_ONCE = 500  # users whose mixes of categories are compared


@dataclass
class Found:
    """What was found so far: figures of the night, and columns of the users who are followed."""

    n_users: int
    night: dict[str, float | None] = field(default_factory=dict)
    users: dict[str, Figures] = field(default_factory=dict)

    def add(self, name: str, value: float | None, of_users: Figures | None = None) -> None:
        """Add a figure, which is none where it is not finite, and what it is of each user."""
        self.night[name] = value if value is not None and np.isfinite(value) else None
        self.users[name] = np.full(self.n_users, np.nan) if of_users is None else of_users


def inequality(found: Found, exposed: Exposed, could: Bools) -> None:
    """The Gini coefficient of exposure over the items that could be shown."""
    shown = could | (exposed.by_item > 0)
    total = exposed.by_item.sum()
    if not total:
        return found.add("exposure_gini", None)
    shares = exposed.by_item[shown] / total
    gradient = np.zeros(len(shown))
    gradient[shown] = gini_gradient(shares)
    value = gini(shares)
    parts = contributions(
        value, gradient[shown], shares, exposed.totals(found.n_users, gradient), exposed.totals(found.n_users)
    )
    return found.add("exposure_gini", value, parts)


def providers(found: Found, exposed: Exposed, group: Ints, target: Figures) -> None:
    """The divergence of the providers' exposure from its target (Sapiezynski et al., 2019)."""
    shares = group_exposure(exposed.by_item, group, len(target))
    value = divergence(shares, target)
    if not np.isfinite(value):
        return found.add("provider_divergence", None)
    gradient = divergence_gradient(shares, target / target.sum())
    by_item = np.where(group >= 0, gradient[group], 0.0)
    of_some = exposed.totals(found.n_users, (group >= 0).astype(np.float64))
    parts = contributions(value, gradient, shares, exposed.totals(found.n_users, by_item), of_some)
    return found.add("provider_divergence", value, parts)


def lift(found: Found, lists: Ints, chosen: Csr, popularity: Figures) -> None:
    """How much more popular lists are than what their users chose (Abdollahpouri et al., 2019)."""
    listed, count = mean_of(lists, popularity), np.diff(chosen.indptr)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = (chosen @ popularity) / count
    both = ~np.isnan(listed) & (count > 0)
    usual = float(own[both].mean()) if both.any() else 0.0
    if not usual:
        return found.add("popularity_lift", None)
    ratio = float(listed[both].mean()) / usual
    parts = ratio - 1 + (listed - ratio * own) / usual
    return found.add("popularity_lift", ratio - 1, np.where(both, parts, np.nan))


def calibration(found: Found, lists: Ints, chosen: Csr, categories: Csr | None) -> None:
    """How far lists are from their users' mix of categories, on average (Steck, 2018)."""
    if categories is None:
        return found.add("miscalibration", None)
    parts = [np.zeros(0)]
    for start in range(0, found.n_users, AT_ONCE):
        some = lists[start : start + AT_ONCE]
        of_lists = np.zeros((len(some), categories.shape[1]))
        for place in range(some.shape[1]):
            there = some[:, place] >= 0
            of_lists[there] += categories[some[there, place]].toarray()
        of_users = (chosen[start : start + AT_ONCE] @ categories).toarray().astype(np.float64)
        parts.append(miscalibration(of_users, of_lists))
    distances = np.concatenate(parts)
    return found.add("miscalibration", _mean(distances), distances)


def variety(found: Found, chosen: Csr, by_item: Figures, categories: Csr | None) -> None:
    """The entropy of what each user chose in a window, and of what all chose together.

    Of categories, or of items where there are none. `chosen` is what users who are followed chose, [n_users, n_items],
    and `by_item` how often each item was chosen by anybody.
    """
    counts = chosen if categories is None else chosen @ categories
    together = by_item if categories is None else np.asarray(categories.T @ by_item)
    alone = entropy(counts)
    found.add("individual_entropy", _mean(alone), alone)
    total = float(together.sum())
    if not total:
        return found.add("collective_entropy", None)
    shares: Figures = together / total
    value, gradient = float(entropy(shares[None])[0]), entropy_gradient(shares)
    weighted, totals = np.asarray(counts @ gradient), np.asarray(counts.sum(axis=1), np.float64)
    parts = contributions(value, gradient, shares, weighted, totals)
    return found.add("collective_entropy", value, parts)


def age(found: Found, lists: Ints, ages: Figures) -> None:
    """The mean age of the items of lists, in days; items that nobody has chosen have none."""
    known = np.where(np.isnan(ages), -1, np.arange(len(ages))).astype(np.int32)
    dated = np.where(lists >= 0, known[lists], -1)
    of_users = mean_of(dated, np.nan_to_num(ages))
    found.add("age", _mean(of_users), of_users)


def _mean(of_users: Figures) -> float | None:
    there = ~np.isnan(of_users)
    return float(of_users[there].mean()) if there.any() else None
