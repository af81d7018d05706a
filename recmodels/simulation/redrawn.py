"""Means over users drawn anew, the same users for everything that is compared."""

import numpy as np

from recmodels.data.arrays import Doubles

DRAWS = 1_000
GROUPS = 5_000
"""Above so many users, random groups of them are drawn: as good, and no slower for more users."""


class Redrawn:
    """Samples of the users: each is in it so many times as a Poisson draw says, independently of the others.

    Args:
        n_users: how many there are.
        seed: what the samples follow from.
    """

    def __init__(self, n_users: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.n_users, self._groups = n_users, min(n_users, GROUPS)
        self._group = rng.permutation(n_users) % self._groups if n_users else np.empty(0, np.int64)
        self._times = rng.poisson(1.0, (DRAWS, self._groups)).astype(np.float64)

    def means(self, values: Doubles) -> tuple[Doubles, Doubles]:
        """The means of columns over the users that have them, and over those of each sample.

        Args:
            values: NaN for who has none, `[n_users, m]`.

        Returns:
            `[m]` and `[DRAWS, m]`; NaN where nobody has one.
        """
        there = ~np.isnan(values)
        middle = np.where(there, values, 0.0).sum(axis=0) / np.where(there.any(axis=0), there.sum(axis=0), np.nan)
        apart = np.where(there, values - middle, 0.0)  # so that a constant has no width at all
        with np.errstate(invalid="ignore", divide="ignore"):
            off = (self._times @ self._summed(apart)) / (self._times @ self._summed(there * 1.0))
        return middle, middle + off

    def _summed(self, values: Doubles) -> Doubles:
        """The sums of the groups: [n_groups, m]."""
        if self._groups == self.n_users:
            return values[np.argsort(self._group)]
        return np.stack([np.bincount(self._group, column, self._groups) for column in values.T], axis=1)
