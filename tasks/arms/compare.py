"""An arm's users against those of `main`: the outcome first, then what tells why."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from recmodels.experiments.effects import FEW, Effect, effect, sequence_quantile
from recmodels.experiments.interleaving import preference
from recmodels.experiments.survival import Survival, return_times
from tasks.arms.results import PLANNED_DAYS, Measured, Preference, Unit
from tasks.arms.users import Bools, Doings, Floats

ALPHA = 0.05
"""The chance that any arm's outcome ever shows a difference that is not there; the same for all other metrics."""
POWER = 0.8
RETURN_DAYS = 7


class Metric(NamedTuple):
    """A figure of users: which users have it, and what of the time before tells of it."""

    name: str
    label: str
    unit: Unit
    values: Callable[[Doings], Floats]
    users: Callable[[Doings], Bools]
    before: Callable[[Doings], Floats]


def _having(values: Callable[[Doings], Floats]) -> Callable[[Doings], Bools]:
    return lambda found: ~np.isnan(values(found))


def _known_before(found: Doings) -> Floats:
    """The variety before; the mean for users of whom it is not known, so that it explains nothing of theirs."""
    known = found.variety_before[~np.isnan(found.variety_before)]
    return np.nan_to_num(found.variety_before, nan=float(known.mean()) if len(known) else 0.0)


REWARDS = Metric(
    "rewards", "rewards a user and week", "number",
    lambda found: found.rewards, lambda found: found.exposed, lambda found: found.events_before,
)  # fmt: skip
INTERACTIONS = Metric(
    "interactions", "interactions a user and week", "number",
    lambda found: found.events, lambda found: np.ones_like(found.came), lambda found: found.events_before,
)  # fmt: skip


def _share(name: str, label: str, values: Callable[[Doings], Floats]) -> Metric:
    return Metric(name, label, "share", values, _having(values), lambda found: found.visits_before)


OTHERS = (
    _share("hit_rate", "days on which they used their list", lambda found: found.hit_days),
    _share("recall", "of what they used, out of their list", lambda found: found.recall),
    _share("retention_7", "active in their second week", lambda found: found.back_7),
    _share("retention_28", "active in their weeks 2 to 5", lambda found: found.back_28),
    Metric(
        "diversity", "variety of categories", "bits",
        lambda found: found.variety, _having(lambda found: found.variety), _known_before,
    ),
)  # fmt: skip
RETURN = "return_7"
COMPARISONS = len(OTHERS) + 2  # and the return, and interactions beside rewards


class Correction(NamedTuple):
    """What intervals are corrected for: how often one looks, and how much is compared."""

    arms: int
    information: float

    @classmethod
    def of(cls, arms: int, days: float) -> Correction:
        return cls(arms, days / PLANNED_DAYS)

    @property
    def outcome(self) -> float:
        return ALPHA / self.arms

    @property
    def other(self) -> float:
        return ALPHA / self.arms / COMPARISONS


def corrected(arms: int) -> str:
    """What the intervals are corrected for, in words."""
    each = "of the arm" if arms == 1 else f"of any of the {arms} arms"
    return (
        f"Intervals hold at all looks together, night after night: the chance that the outcome {each} ever shows a "
        f"difference that is not there is {ALPHA:.0%}, and that any other figure does is {ALPHA:.0%} again. They are "
        f"narrowest, for what is known by then, at {PLANNED_DAYS} days."
    )


def outcome_of(found: Doings) -> Metric:
    """What arms are judged by: rewards of what was shown, or all interactions where a site logs nothing shown.

    How often a list was right would be no fair outcome: lists of what is popular anyway are right without any effect.
    Nor would be interactions of those alone who have come: a list that goes out by mail may be why they have.
    """
    return REWARDS if found.exposed.any() else INTERACTIONS


def measured(found: Doings, arm: Bools, main: Bools, correction: Correction) -> list[Measured]:
    """All that can be compared, the outcome first; nothing where too few users have come for an outcome."""
    outcome = outcome_of(found)
    others = (*(INTERACTIONS for _ in range(outcome is REWARDS)), *OTHERS)
    first = _measure(outcome, found, arm, main, correction.information, correction.outcome)
    if first is None:
        return []
    rest = [_measure(one, found, arm, main, correction.information, correction.other) for one in others]
    rest.insert(-1, _returned(found, arm, main, correction))
    return [first, *(one for one in rest if one is not None)]


def _measure(
    metric: Metric, found: Doings, arm: Bools, main: Bools, information: float, alpha: float
) -> Measured | None:
    having, values, before = metric.users(found), metric.values(found), metric.before(found)
    ours, theirs = (group & having for group in (arm, main))
    if min(ours.sum(), theirs.sum()) < 2:
        return None
    one = effect(
        values[ours],
        values[theirs],
        before=(before[ours], before[theirs]),
        information=information,
        alpha=alpha,
    )
    return Measured.of_effect(metric.name, metric.label, metric.unit, one)


def _returned(found: Doings, arm: Bools, main: Bools, correction: Correction) -> Measured | None:
    """Who was back within a week, by the survival curves, since many have not been watched for that long."""
    ours, theirs = (_waiting(found, group) for group in (arm, main))
    users = [int((group & ~np.isnan(found.waited)).sum()) for group in (arm, main)]
    if ours is None or theirs is None or min(users) < 2:
        return None
    value = theirs.at(RETURN_DAYS) - ours.at(RETURN_DAYS)
    errors = [_error_at(curve) for curve in (ours, theirs)]
    if min(_back_or_not(found, group) for group in (arm, main)) < FEW:  # as in `effect`
        share = (ours.at(RETURN_DAYS) * users[0] + theirs.at(RETURN_DAYS) * users[1]) / sum(users)
        spread = max(sqrt(share * (1 - share)), *(error * sqrt(n) for error, n in zip(errors, users, strict=True)))
        errors = [spread / sqrt(n) for n in users]
    error = hypot(*errors)
    reach = error * sequence_quantile(correction.information, correction.other)
    back = Effect(value, error, value - reach, value + reach, 1 - theirs.at(RETURN_DAYS), (users[0], users[1]), 1.0)
    return Measured.of_effect(RETURN, f"back within {RETURN_DAYS} days", "share", back)


def median_return(found: Doings, group: Bools) -> float | None:
    """Days until half of the users of a group were back."""
    curve = _waiting(found, group)
    return None if curve is None else curve.median


def _waiting(found: Doings, group: Bools) -> Survival | None:
    watched = group & ~np.isnan(found.waited)
    return return_times(found.waited[watched], found.came_back[watched]) if watched.any() else None


def _back_or_not(found: Doings, group: Bools) -> int:
    """How many of a group were back within the days, or how many were not: of which there are fewer."""
    waited = found.waited[group & ~np.isnan(found.waited)]
    back = int((found.came_back[group & ~np.isnan(found.waited)] & (waited <= RETURN_DAYS)).sum())
    return min(back, len(waited) - back)


def _error_at(curve: Survival) -> float:
    before = int(np.searchsorted(curve.times, RETURN_DAYS, side="right"))
    return float(curve.error[before - 1]) if before else 0.0


def detectable(found: Measured, correction: Correction) -> float | None:
    """The smallest difference of the outcome that would have been found by now, as a share of `main`."""
    if found.main <= 0 or found.error <= 0:
        return None
    quantile = sequence_quantile(correction.information, correction.outcome)
    return (quantile + NormalDist().inv_cdf(POWER)) * found.error / found.main


def lasting(found: Doings, users: Bools) -> float:
    """The share of the outcome's variance between users that stays, however long one waits: that of their habits.

    By how alike the two halves of the time are, less what the weeks before explain; from 0 to 1.
    """
    outcome = outcome_of(found)
    having = users & outcome.users(found)
    whole, before = outcome.values(found)[having], outcome.before(found)[having]
    late = (found.rewards_late if outcome is REWARDS else found.events_late)[having]
    both, second = (_unexplained(one, before) for one in (whole, late))
    variance = float(both @ both)
    first = 2 * both - second
    return min(1.0, max(0.0, float(first @ second) / variance)) if variance else 1.0


def _unexplained(values: Floats, before: Floats) -> Floats:
    """What of some values the time before does not explain."""
    centered, known = values - values.mean(), before - before.mean()
    spread = float(known @ known)
    slope = float(known @ centered) / spread if spread else 0.0
    left: Floats = centered - slope * known
    return left


def preferred(found: Doings, arm: Bools, correction: Correction) -> Preference | None:
    """Which model's items users of mixed lists reward more."""
    challenger, champion = found.of_challenger[arm], found.of_champion[arm]
    value, error = preference(challenger, champion)
    if not np.isfinite(error):
        return None
    reach = error * sequence_quantile(correction.information, correction.outcome)
    users = int(np.count_nonzero(challenger + champion))
    return Preference(value=value, low=value - reach, high=value + reach, users=users)
