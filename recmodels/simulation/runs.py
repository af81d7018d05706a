"""What was measured of a policy over the nights, and its means over some of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Doubles
from recmodels.simulation.figures import BY_NAME
from recmodels.simulation.measures import Measured


@dataclass(frozen=True, eq=False)
class Run:
    """The nights of one policy under one seed.

    Attributes:
        figures: each on each night, NaN where there is none, float64 `[n_nights]`.
        by_user: those of users, NaN where a user has none, `[n_nights, n_users]`.
    """

    figures: Mapping[str, Doubles]
    by_user: Mapping[str, NDArray[np.floating]]

    @classmethod
    def of(cls, nights: list[Measured]) -> "Run":
        """Nights one after the other."""
        names, users = dict.fromkeys(name for one in nights for name in one.figures), list(nights[0].by_user)
        return cls(
            {name: np.array([one.figures.get(name, np.nan) for one in nights]) for name in names},
            {name: np.stack([one.by_user[name] for one in nights]).astype(np.float32) for name in users},
        )

    @property
    def nights(self) -> int:
        return len(next(iter(self.figures.values())))

    @property
    def users(self) -> int:
        return next((len(values[0]) for values in self.by_user.values()), 0)

    def level(self, name: str, nights: slice) -> float:
        """The mean of a figure over some nights, NaN where it has none."""
        return mean(self.figures.get(name, np.empty(0))[nights])

    def of_users(self, name: str, nights: slice) -> Doubles:
        """What each user has of a figure of users, a night on average; NaN for those who have none. [n_users]

        In a total, a user who has nothing yet counts as 0: it is 0 that they add to it.
        """
        values = self.by_user[name][nights].astype(np.float64)
        there = ~np.isnan(values)
        total = np.where(there, values, 0.0).sum(axis=0)
        if BY_NAME[name].total:
            return np.where(there.any(axis=0), total / max(1, len(values)), np.nan)
        count = there.sum(axis=0)
        return np.asarray(total / np.where(count > 0, count, np.nan))


def mean(values: Doubles) -> float:
    """The mean of those that there are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
