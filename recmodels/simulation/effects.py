"""How a policy differs from another, with intervals: of one run over its users, of several over the runs.

Policies that are compared meet the same users and the same chances, so that users are paired with themselves. An
interval over the users of one run holds for this run: it does not say how another one would have gone.
"""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Literal

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.metrics.trends import FEWEST
from recmodels.simulation.figures import BY_NAME
from recmodels.simulation.redrawn import Redrawn
from recmodels.simulation.runs import Run

CONFIDENCE = 0.95
SMALL = 1e-9  # a level that nothing is a share of


@dataclass(frozen=True)
class Interval:
    """A value between two ends; None where they are not known."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def certain(self) -> bool:
        """Whether both ends are on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Effect:
    """How a policy differs in a figure.

    Attributes:
        figure: which.
        level: of the policy.
        reference: the level of the policy that it is compared with.
        difference: the first less the second.
        relative: the same as a share of the second; None where that is not above 0, or makes no sense.
        over: what the intervals are over, if anything.
    """

    figure: str
    level: float
    reference: float
    difference: Interval
    relative: Interval | None
    over: Literal["users", "runs", "nothing"]

    @property
    def certain(self) -> bool:
        """Whether it is no chance, as far as can be told."""
        return self.difference.certain

    @property
    def good(self) -> bool | None:
        """Whether the policy is better; None where neither is, or where it may be chance."""
        better = BY_NAME[self.figure].better
        if better == "neither" or not self.certain:
            return None
        return (self.difference.value > 0) == (better == "more")


def effect(name: str, runs: list[Run], reference: list[Run], nights: slice, redrawn: Redrawn) -> Effect | None:
    """How the runs of a policy differ in some nights from those of another under the same seeds, one by one.

    None where one has no such figure. The interval of a single run comes from samples of its users.
    """
    levels = np.array([run.level(name, nights) for run in runs])
    others = np.array([run.level(name, nights) for run in reference])
    both = np.isfinite(levels) & np.isfinite(others)
    levels, others = levels[both], others[both]
    if not len(levels):
        return None
    level, other = float(levels.mean()), float(others.mean())
    difference, share = Interval(level - other), None
    if BY_NAME[name].relative and (others > SMALL).all():
        share = Interval(level / other - 1)
    if len(runs) > 1:
        return Effect(
            name, level, other, over_runs(levels - others), share and over_runs(levels / others - 1), "runs"
        )  # fmt: skip
    found = _over_users(name, runs[0], reference[0], nights, redrawn)
    if found is None:
        return Effect(name, level, other, difference, share, "nothing")
    (one, its), (means, theirs) = found
    factor = runs[0].by_user[name].shape[1] if BY_NAME[name].total else 1  # of a mean, where the figure is a sum
    difference = _around(difference.value, factor * (means - theirs), factor * (one - its))
    if share is not None and its > SMALL and (theirs > SMALL).all():
        share = _around(share.value, means / theirs - 1, one / its - 1)
    return Effect(name, level, other, difference, share, "users")


def over_runs(values: Doubles) -> Interval:
    """The mean of runs, with Student's interval."""
    from scipy.special import stdtrit

    n, middle = len(values), float(values.mean())
    if n < 2:
        return Interval(middle)
    reach = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * float(values.std(ddof=1)) / sqrt(n)
    return Interval(middle, middle - reach, middle + reach)


def _over_users(name: str, run: Run, reference: Run, nights: slice, redrawn: Redrawn) -> tuple[Doubles, Doubles] | None:
    """Means of both over the users that both have, [2], and over samples of them, [2, n_draws]."""
    if name not in run.by_user:
        return None
    one, other = run.of_users(name, nights), reference.of_users(name, nights)
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < FEWEST:
        return None
    nobody = 0.0 if BY_NAME[name].total else np.nan  # who has not come yet adds nothing to a sum
    middle, means = redrawn.means(np.stack([np.where(both, each, nobody) for each in (one, other)], axis=1))
    return middle, means.T


def _around(value: float, means: Doubles, middle: float) -> Interval:
    """The percentile interval of a mean, moved to where the figures say that it is."""
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) - middle
    return Interval(value, value + float(low), value + float(high)) if isfinite(float(low)) else Interval(value)
