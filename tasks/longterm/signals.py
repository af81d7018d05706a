"""Early signals: what users do in the first days, by which it is foretold what they do later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.errors import ConfigError
from recmodels.experiments.surrogates import Cohort
from recmodels.messages import short
from tasks.longterm.daily import Daily, active
from tasks.longterm.outcome import Outcome

WINDOW = 7
"""The days of early signals."""
BEFORE = 28
"""The days before them: who was active then is followed, and how active is no effect of what comes."""
BACK = 3  # days


class Signal(NamedTuple):
    """An early signal: its name, it in words, and it of each user in the days from one to before another."""

    name: str
    label: str
    of: Callable[[Daily, int, int], Doubles]
    shown: bool = False
    """Whether it takes a log of what was shown."""
    categories: bool = False
    """Whether it takes categories."""


def visits(daily: Daily, begin: int, end: int) -> Doubles:
    return np.asarray((daily.events(begin, end) > 0).sum(axis=1), np.float64)


def recency(daily: Daily, begin: int, end: int) -> Doubles:
    """Days since the last visit at the end of the days, their number where there is none."""
    came = daily.events(begin, end) > 0
    return np.where(came.any(axis=1), came[:, ::-1].argmax(axis=1), end - begin).astype(float)


def returned(daily: Daily, begin: int, end: int) -> Doubles:
    """Whether they were back within three days of their first one; NaN where there are no three days after it."""
    came = daily.events(begin, end) > 0
    first = came.argmax(axis=1)
    after = np.arange(end - begin)[None, :] - first[:, None]
    back = (came & (after > 0) & (after <= BACK)).any(axis=1)
    return np.where(came.any(axis=1) & (first + BACK < end - begin), back, np.nan)


def satisfaction(daily: Daily, begin: int, end: int) -> Doubles:
    """Rewards for each place that they were shown; NaN where nothing was."""
    seen = daily.seen(begin, end).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(daily.rewards(begin, end).sum(axis=1) / np.where(seen > 0, seen, np.nan))


def depth(daily: Daily, begin: int, end: int) -> Doubles:
    """The mean over their days of the last rank that they were shown; NaN where nothing was."""
    deepest = daily.deepest(begin, end)
    days = (deepest > 0).sum(axis=1)
    return np.asarray(deepest.sum(axis=1) / np.where(days > 0, days, np.nan))


SIGNALS = (
    Signal("visits", "days on which they came", visits),
    Signal("interactions", "interactions", lambda daily, begin, end: daily.events(begin, end).sum(axis=1)),
    Signal("recency", "days since their last visit", recency),
    Signal("return_3", f"back within {BACK} days", returned),
    Signal("diversity", "variety of categories", lambda daily, *days: daily.variety(*days), categories=True),
    Signal("new_items", "share of items new to them", lambda daily, *days: daily.new_items(*days)),
    Signal("shown", "places of lists they saw", lambda daily, *days: daily.seen(*days).sum(axis=1), shown=True),
    Signal("clicks", "rewards of their lists", lambda daily, *days: daily.rewards(*days).sum(axis=1), shown=True),
    Signal("satisfaction", "rewards a place they saw", satisfaction, shown=True),
    Signal("depth", "how far down they looked", depth, shown=True),
)
NAMES = [one.name for one in SIGNALS]


def signals_of(daily: Daily, names: Sequence[str] | None) -> list[Signal]:
    """The signals with these names, or all that a site has.

    Raises:
        ConfigError: there is no such signal, or the site does not have it.
    """
    if names is None:
        return [one for one in SIGNALS if not _lacking(one, daily)]
    found = []
    for name in dict.fromkeys(names):
        if name not in NAMES:
            raise ConfigError(f"--surrogates {short(name)} is unknown: there are {', '.join(NAMES)}.")
        one = SIGNALS[NAMES.index(name)]
        if lacking := _lacking(one, daily):
            raise ConfigError(f"--surrogates {name} takes {lacking}, which this site does not have: leave it out.")
        found.append(one)
    return found


def _lacking(one: Signal, daily: Daily) -> str | None:
    if one.shown and not daily.logged:
        return "a log of what was shown"
    return "categories of the items" if one.categories and not daily.has_categories else None


def cohort(daily: Daily, begin: int, window: int, outcome: Outcome, signals: Sequence[Signal]) -> Cohort:
    """The users who were active in the four weeks before a day, and what they did from that day on.

    Who is followed is settled before, as who comes then may be an effect. The outcome is NaN where it is yet to come.
    """
    end = begin + window
    late = end + outcome.days
    before = [
        visits(daily, begin - BEFORE, begin),
        daily.events(begin - BEFORE, begin).sum(axis=1),
        recency(daily, begin - BEFORE, begin),
        np.minimum(begin - daily.first, 365.0),
    ]
    early = [one.of(daily, begin, end) for one in signals]
    come = outcome.measured(daily.events(end, late)) if late <= 0 else np.full(len(daily.users), np.nan)
    found = Cohort(daily.users, np.column_stack(before), np.column_stack(early), come)
    return found.take(active(daily, begin - BEFORE, begin))
