"""The effect of an arm on its users, with an interval that stays valid however often one looks."""

from dataclasses import dataclass
from math import erfc, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from recmodels.errors import ConfigError

Floats = NDArray[np.float64]

FEW = 30
"""Users who differ from most others, below which the spread in an arm is not known by its own users."""


@dataclass(frozen=True)
class Effect:
    """The difference of an arm's mean outcome from that of the others.

    Attributes:
        value: the arm's mean minus the other's, in units of the outcome.
        error: its standard error.
        low: the lower end of the confidence sequence, valid at all looks together.
        high: its upper end.
        base: the mean outcome of the others.
        users: the users of the arm and of the others.
        variance_left: the share of the outcome's variance that the covariate leaves (CUPED); 1 without one.
    """

    value: float
    error: float
    low: float
    high: float
    base: float
    users: tuple[int, int]
    variance_left: float

    @property
    def relative(self) -> float:
        """The effect as a share of the base."""
        return self.value / self.base if self.base else float("nan")

    @property
    def certain(self) -> bool:
        """Whether the confidence sequence is on one side of 0."""
        return self.low > 0 or self.high < 0

    @property
    def p_value(self) -> float:
        """Of a single look that was planned beforehand: two-sided, normal."""
        return erfc(abs(self.value) / self.error / sqrt(2)) if self.error else float(self.value == 0)


def effect(
    arm: Floats,
    others: Floats,
    *,
    before: tuple[Floats, Floats] | None = None,
    information: float = 1.0,
    alpha: float = 0.05,
) -> Effect:
    """The effect on the users of an arm against others.

    Args:
        arm: the outcome of each user of the arm so far, `[n_arm]`.
        others: that of each user of the arm it is compared with, `[n_others]`.
        before: the same users' outcomes before the experiment (or any covariate that it cannot change): what they
            explain is taken off (CUPED, Deng et al. 2013).
        information: how much is known by now, as a share of what is known when the decision is planned, where the
            sequence is tightest: (error planned / error now)², or the nights so far / the nights planned.
        alpha: the chance that the sequence ever misses a true effect of the whole experiment.

    Raises:
        ConfigError: where either has fewer than two users.
    """
    if min(len(arm), len(others)) < 2:
        raise ConfigError(f"An effect needs two users in each arm: there are {len(arm)} and {len(others)}.")
    base, variance_left = float(others.mean()), 1.0
    few = min(_differing(arm), _differing(others)) < FEW
    if before is not None:
        arm, others, variance_left = _without_what_was_before(arm, others, *before)
    value = float(arm.mean() - others.mean())
    spread = arm.var(ddof=1), others.var(ddof=1)
    if few:  # such as an arm in which nobody has clicked yet: that does not say how many might have
        spread = (max(*spread, np.concatenate([arm, others]).var(ddof=1)),) * 2
    error = sqrt(spread[0] / len(arm) + spread[1] / len(others))
    reach = error * sequence_quantile(information, alpha)
    return Effect(value, error, value - reach, value + reach, base, (len(arm), len(others)), variance_left)


def sequence_quantile(information: float = 1.0, alpha: float = 0.05) -> float:
    """How many standard errors the confidence sequence reaches to either side.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024, Theorem 2.2), Robbins'
    normal mixture, in terms of the `information` 1 / error² as a share of the planned one, above 0: it is tightest
    there, and holds at every other, too. A single look would take 1.96 for an alpha of 5 %; this is 3.0 as planned.
    """
    mixed = information * (-2 * log(alpha) + log(-2 * log(alpha) + 1))
    return sqrt(2 * (mixed + 1) / mixed * log(sqrt(mixed + 1) / alpha))


def users_needed(
    share: float,
    deviation: float,
    smallest: float,
    *,
    others: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    looks: bool = True,
    information: float = 1.0,
) -> int:
    """The users, all arms together, for an effect of `smallest` to be found with a probability of `power`.

    Args:
        share: the arm's share of the users.
        deviation: the standard deviation of the outcome between users, after CUPED where it is used.
        smallest: the smallest effect that matters, in units of the outcome.
        others: the share of the users that it is compared with; the rest by default.
        power: the probability of finding it.
        alpha: the chance of finding one that is not there.
        looks: whether one looks every night, for which the confidence sequence pays, or once.
        information: how much is known by then, as `effect` has it.
    """
    reach = _reach(power, alpha, information if looks else None)
    return int(np.ceil((reach * deviation / smallest) ** 2 * (1 / share + 1 / (others or 1 - share))))


def detectable(
    users: float,
    share: float,
    deviation: float,
    *,
    others: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    looks: bool = True,
    information: float = 1.0,
) -> float:
    """The smallest effect that so many users show with a probability of `power`; the inverse of `users_needed`."""
    reach = _reach(power, alpha, information if looks else None)
    return reach * deviation * sqrt((1 / share + 1 / (others or 1 - share)) / users)


def _reach(power: float, alpha: float, information: float | None) -> float:
    """How many standard errors an effect must be to be found with a probability of `power`; None: at a single look."""
    normal = NormalDist()
    quantile = normal.inv_cdf(1 - alpha / 2) if information is None else sequence_quantile(information, alpha)
    return quantile + normal.inv_cdf(power)


def deviation_left(outcome: Floats, before: Floats) -> tuple[float, float]:
    """The standard deviation of an outcome between users after CUPED, and the share of the variance that is left."""
    there = float(outcome.std(ddof=1))
    correlation = float(np.corrcoef(outcome, before)[0, 1]) if there and before.std() else 0.0
    return there * sqrt(1 - correlation**2), 1 - correlation**2


def _differing(outcome: Floats) -> int:
    """The users whose outcome is not that of the middle one: where most have the same, by these alone it varies."""
    return int(np.count_nonzero(outcome != np.median(outcome)))


def _without_what_was_before(
    arm: Floats, others: Floats, arm_before: Floats, others_before: Floats
) -> tuple[Floats, Floats, float]:
    """Outcomes less what the covariate explains of them, with one slope for both arms."""
    outcome = np.concatenate([arm - arm.mean(), others - others.mean()])
    covariate = np.concatenate([arm_before - arm_before.mean(), others_before - others_before.mean()])
    spread = float(covariate @ covariate)
    total = float(outcome @ outcome)
    if not spread or not total:
        return arm, others, 1.0
    slope = float(outcome @ covariate) / spread
    middle = float(np.concatenate([arm_before, others_before]).mean())
    left = 1 - slope * float(outcome @ covariate) / total
    return arm - slope * (arm_before - middle), others - slope * (others_before - middle), left
