"""Confidence intervals of means over users, by resampling the users."""

import numpy as np

from recmodels.metrics.ranking import Metric

GROUPS = 10_000
"""Above so many users the bootstrap resamples this many random groups of users instead: as good, and fast."""

DRAWS = 100_000
"""So many users or groups are drawn at a time."""


def bootstrap_intervals(
    values: Metric, seed: int, level: float = 0.95, resamples: int = 1000, groups: int = GROUPS
) -> list[tuple[float, float]]:
    """Percentile bootstrap intervals of the mean over users (Efron, 1979), from the same draws for all columns.

    Beyond `groups` users, whole groups of users drawn at random are resampled: the variance of the mean is the same,
    the cost does not depend on the number of users.

    Args:
        values: float64 [n, m], a row a user.
        seed: What the draws follow from.
        level: The confidence level.
        resamples: How often users are drawn.
        groups: How many users, or groups of them, are drawn.

    Returns:
        For each column the ends of the interval.

    Raises:
        ValueError: There is no user.
    """
    means = resampled_means(values, seed, resamples, groups)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [(float(least), float(most)) for least, most in zip(low, high, strict=True)]


def resampled_means(values: Metric, seed: int, resamples: int = 1000, groups: int = GROUPS) -> Metric:
    """Means of `values` [n, m] over users drawn with replacement, the same users for all columns: [resamples, m]."""
    n, m = values.shape
    if n == 0:
        raise ValueError("There is no user to measure.")
    rng = np.random.default_rng(seed)
    groups = min(n, groups)
    sizes = np.full(groups, n // groups)
    sizes[: n % groups] += 1
    sums = np.empty((groups, m + 1))
    sums[:, m] = sizes
    order = rng.permutation(n)
    for column in range(m):
        sums[:, column] = np.add.reduceat(values[order, column], np.cumsum(sizes) - sizes)
    middle = values.mean(axis=0)
    sums[:, :m] -= sizes[:, None] * middle  # so that a constant has no width at all
    totals = np.empty((resamples, m + 1))
    block = max(1, DRAWS // groups)  # resamples drawn at a time: one by one, few users take as long as many
    for start in range(0, resamples, block):
        first = groups * np.arange(min(block, resamples - start))[:, None]  # where a resample counts: [block, 1]
        drawn = first + rng.integers(0, groups, (len(first), groups))
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(-1, 1, groups)
        totals[start : start + block] = (counts @ sums)[:, 0]
    means: Metric = middle + totals[:, :m] / totals[:, m:]
    # By rounding, means of nothing would be a little less than that.
    return np.asarray(np.clip(means, values.min(axis=0), values.max(axis=0)))
