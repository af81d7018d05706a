"""Paired tests of whether one model is better than another on the same users.

All of it works on the differences of a per-user metric, [n]: how easy a user is for both models cancels out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recmodels.metrics.bootstrap import resampled_means
from recmodels.metrics.ranking import Metric

EXACT_USERS = 14
"""Up to so many users that differ, all assignments of signs are tried."""
NORMAL_USERS = 10_000
"""Beyond so many, the sum of random signs is as good as normal (Lindeberg), and its variance known."""


@dataclass(frozen=True)
class Difference:
    """How two models differ on the same users."""

    mean: float
    low: float  # of the bootstrap interval
    high: float
    p_bootstrap: float
    p_permutation: float


def paired(differences: Metric, seed: int, level: float = 0.95, resamples: int = 2000) -> Difference:
    """Bootstrap interval and both tests of the mean of `differences` [n]. Raises ValueError without users."""
    means = resampled_means(differences[:, None], seed, resamples)[:, 0]
    mean = float(differences.mean())
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    # Were there no difference, means would lie around 0 as they now lie around theirs (Efron & Tibshirani, 1993, 16.4).
    as_far = int((np.abs(means - mean) >= abs(mean) * (1 - 1e-12)).sum())
    p_bootstrap = (1 + as_far) / (1 + resamples)
    return Difference(mean, float(low), float(high), p_bootstrap, sign_flip(differences, seed, resamples))


def sign_flip(differences: Metric, seed: int, resamples: int = 2000) -> float:
    """Two-sided p-value of the permutation test of paired samples (Fisher, 1935): signs are as likely + as -.

    Exact for up to EXACT_USERS users that differ, by `resamples` random assignments for more (the one observed is one
    of them), by the normal law of their sum beyond NORMAL_USERS. 1 where no user differs.
    """
    differ = differences[differences != 0]
    n, observed = len(differ), abs(float(differ.sum())) * (1 - 1e-12)
    if n == 0:
        return 1.0
    if n > NORMAL_USERS:
        return math.erfc(observed / math.sqrt(2 * float((differ**2).sum())))
    if n <= EXACT_USERS:
        signs = 1.0 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ differ) >= observed).mean())
    rng, as_far = np.random.default_rng(seed), 0
    for start in range(0, resamples, 100):
        signs = 1.0 - 2 * rng.integers(0, 2, (min(100, resamples - start), n), dtype=np.int8)
        as_far += int((np.abs(signs @ differ) >= observed).sum())
    return (1 + as_far) / (1 + resamples)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for how many there are (Holm, 1979): the i-th smallest times (m - i + 1), never decreasing."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    return [float(value) for value in corrected]
