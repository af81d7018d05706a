"""What the comparison of arms came to, as the store keeps it and people read it."""

from __future__ import annotations

from math import ceil, inf
from typing import Literal

from pydantic import Field

from recmodels.experiments.effects import Effect
from recmodels.messages import counted
from tasks.evaluate.summary import Stored

PLANNED_DAYS = 28
"""When the intervals are narrowest for what is known by then; they hold at all other looks, too."""
SIZES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
"""Differences from `main` of which it is said when they would be found."""
SOON = 90  # days within which

Unit = Literal["number", "share", "bits"]


class Measured(Stored):
    """A metric of an arm and of `main`, and their difference with an interval that holds at all looks together."""

    metric: str
    label: str
    unit: Unit
    arm: float
    main: float
    difference: float
    error: float
    """Its standard error."""
    low: float
    high: float
    users: int
    users_of_main: int
    variance_left: float = 1.0
    """The share of the variance between users that what they did before the arm leaves (CUPED)."""

    @classmethod
    def of_effect(cls, metric: str, label: str, unit: Unit, found: Effect) -> Measured:
        users, users_of_main = found.users
        return cls(
            metric=metric,
            label=label,
            unit=unit,
            arm=found.base + found.value,
            main=found.base,
            difference=found.value,
            error=found.error,
            low=found.low,
            high=found.high,
            users=users,
            users_of_main=users_of_main,
            variance_left=found.variance_left,
        )

    @property
    def certain(self) -> bool:
        """Whether there is a difference, however often one has looked."""
        return self.low > 0 or self.high < 0

    @property
    def relative(self) -> tuple[float, float, float] | None:
        """The difference and the ends of its interval as shares of `main`; None where it has none to be a share of."""
        return None if self.main <= 0 else (self.difference / self.main, self.low / self.main, self.high / self.main)


class Preference(Stored):
    """How much more of the rewards of interleaved lists went to the challenger's items than to the champion's.

    From -1 (all to the champion's) to 1.
    """

    value: float
    low: float
    high: float
    users: int

    @property
    def certain(self) -> bool:
        return self.low > 0 or self.high < 0


class ArmResult(Stored):
    """An arm against `main` since it began."""

    arm: str
    policy: str
    share: float
    since: str | None = None
    """When its lists were first published as they are now; None where that is yet to come."""
    days: float = 0.0
    users: int = 0
    """The users of the arm who have come since."""
    nights: int = 0
    """Since then."""
    nights_of_main: int = 0
    """Of those, on how many its users had the lists of `main`."""
    metrics: list[Measured] = Field(default=[])
    """The outcome first."""
    preference: Preference | None = None
    median_return: tuple[float | None, float | None] = (None, None)
    """Days until half of the users of the arm, and of `main`, were back."""
    detectable: float | None = None
    """The smallest difference of the outcome that would have been found by now with 80 % power, as a share."""
    lasting: float = 0.0
    """The share of the outcome's variance between users that no waiting makes smaller: that of their habits."""
    says: str = ""

    @property
    def outcome(self) -> Measured | None:
        return self.metrics[0] if self.metrics else None


class Arms(Stored):
    """The arms of a night, in the order of the settings."""

    arms: list[ArmResult] = Field(default=[])
    corrected: str = ""
    """What the intervals are corrected for, in words."""


FINDINGS = {
    "popularity": ("what is popular does better than main's lists", "main's lists help"),
    "last_champion": ("the champion before does better than main's lists", "main's lists are better than those before"),
    "challenger": ("the challenger is better than main's model", "main's model is better than the challenger"),
    "no_exploration": ("exploration has its price", "exploration pays"),
    "interleave": ("mixed lists do better than main's", "mixed lists do worse than main's"),
}
"""By policy: what it means that an arm does better than `main`, and worse."""


def sentence(found: ArmResult) -> str:
    """What there is to know of an arm, in a sentence."""
    if found.since is None:
        return f"{found.arm}: its lists are yet to be published."
    outcome, days = found.outcome, counted(ceil(found.days), "day")
    if outcome is None:
        return f"{found.arm}: too few users have come in its {days} to compare it with main."
    if outcome.relative is None:
        return (
            f"{found.arm}: main has {outcome.main:.3g} {outcome.metric} in its {days}, so there is nothing that a "
            "difference would be a share of."
        )
    value, low, high = outcome.relative
    interval = f"{low:+.1%} to {high:+.1%}"
    if outcome.certain:
        more = "more" if value > 0 else "fewer"
        means = FINDINGS[found.policy][0 if value > 0 else 1]
        text = f"{found.arm}: {_percent(abs(value))} {more} {outcome.metric} than main ({interval}), so {means}"
    else:
        text = f"{found.arm}: no difference from main can be told yet ({value:+.1%}, {interval})"
        text += _when(found)
    return f"{text}.{_preferred(found.preference)}{_diluted(found)}"


def _when(found: ArmResult) -> str:
    """When a difference of which size would be found."""
    if not found.detectable or not found.days or not found.outcome:
        return ""
    for size in SIZES:
        days = _days_until(size, found.days, found.detectable, found.lasting)
        if days <= max(SOON, found.days):
            break
    else:
        return ""
    left = ceil(days - found.days)
    users = counted(found.outcome.users, "user")
    when = f"in {counted(left, 'more day')}" if left > 0 else "by now"
    return f": with its {users} one of {_percent(size)} would be found {when}"


def _days_until(size: float, days: float, now: float, lasting: float) -> float:
    """After how many days a difference of a size is found, if one of `now` would have been by now.

    Of the variance, `lasting` stays, and the rest is as 1 / days.
    """
    left = (size / now) ** 2 - lasting
    return days * (1 - lasting) / left if left > 0 else inf


def _preferred(found: Preference | None) -> str:
    if found is None:
        return ""
    said = f"{found.value:+.1%}, {found.low:+.1%} to {found.high:+.1%}"
    if not found.certain:
        return f" In its mixed lists neither model is preferred so far ({said})."
    which, other = ("challenger", "champion") if found.value > 0 else ("champion", "challenger")
    return f" In its mixed lists the {which} is preferred to the {other} ({said})."


def _diluted(found: ArmResult) -> str:
    if not found.nights_of_main:
        return ""
    return f" In {found.nights_of_main} of its {counted(found.nights, 'night')} its users had the lists of main."


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.1 else f"{share:.0%}"
