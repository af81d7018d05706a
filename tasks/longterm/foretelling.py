"""What early signals foretell at a site: who stays, and what its arms will have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import hypot, isfinite
from statistics import NormalDist

import numpy as np

from recmodels.data.arrays import Bools, Doubles
from recmodels.errors import ConfigError
from recmodels.experiments.assignment import MAIN
from recmodels.experiments.surrogacy import ONE_LOOK, Surrogacy, of_these
from recmodels.experiments.surrogates import Cohort, Foretold, SurrogateIndex
from recmodels.messages import counted
from tasks.arms.settings import ArmsSettings
from tasks.longterm.daily import Daily
from tasks.longterm.question import Question
from tasks.longterm.results import ArmForetold, LongTerm, SignalFound, Tested, sentence
from tasks.longterm.signals import BEFORE, Signal
from tasks.longterm.verdict import judged
from tasks.longterm.weeks import Weeks

ALPHA = 0.05
"""The chance that the interval of any arm misses, if the index is right."""


def foretold(
    daily: Daily,
    question: Question,
    settings: ArmsSettings,
    in_arm: np.ndarray,
    begins: Mapping[str, datetime | None],
    wanted: Sequence[str],
    of_main: Mapping[str, int],
    cutoff: datetime,
    run_date: str,
) -> LongTerm:
    """What early signals foretell.

    Args:
        daily: what users did.
        question: what is to be foretold.
        settings: the arms.
        in_arm: the arm of each user of `daily`, `[n]`.
        begins: when each arm began; None where it is yet to be published.
        wanted: the arms to be told of; the others, where known, are tested by all the same.
        of_main: on how many nights each arm had the lists of main.
        cutoff: the end of the night.
        run_date: its date.

    Raises:
        ConfigError: the history is too short, or has too few users, for an index.
    """
    starts = question.starts(daily)
    if not starts:
        needed = BEFORE + question.takes
        raise ConfigError(
            f"The log covers {counted(daily.days, 'day')}, and {question.outcome.name} takes {needed} with "
            f"{counted(question.window, 'day')} of early signals and four weeks before: ask for fewer days, such as "
            f"--outcome {question.outcome.kind}7."
        )
    weeks = Weeks(daily, question)
    history = weeks.joined(starts)
    index = SurrogateIndex(history)
    effects = {
        name: _of_arm(weeks, index, in_arm, name, day_of(begin, cutoff))
        for name, begin in begins.items()
        if begin is not None
    }
    known = {name: one for name, one in effects.items() if one is not None and isfinite(one.true)}
    test = of_these(list(known.values())) if known else None
    foretold_mean, true_mean = _drift(weeks, starts, in_arm == MAIN)
    found = LongTerm(
        run_date=run_date,
        outcome=question.outcome.name,
        label=question.outcome.label(question.window),
        unit=question.outcome.unit,
        window=question.window,
        users=len(np.unique(history.users)),
        weeks=len(starts),
        mean=float(history.outcome.mean()),
        explained=index.explained,
        explained_before=index.explained_before,
        signals=_each(history, question.signals),
        foretold_mean=foretold_mean,
        true_mean=true_mean,
        tested=_tested(test, list(known)),
    )
    quantile = NormalDist().inv_cdf(1 - ALPHA / 2 / max(1, len(wanted)))
    arms = []
    for name, begin in ((name, begins[name]) for name in wanted):
        days = (cutoff - begin) / timedelta(days=1) if begin else 0.0
        one = _arm(settings, name, begin, days, effects.get(name), quantile, question.signals)
        one = _scaled(judged(one, found, question, daily, of_main.get(name, 0)), test, quantile)
        arms.append(one.model_copy(update={"says": sentence(one, question.outcome, question.window)}))
    return found.model_copy(update={"arms": arms})


def _of_arm(weeks: Weeks, index: SurrogateIndex, in_arm: np.ndarray, name: str, begin: int) -> Foretold | None:
    """The effect of an arm; None where it cannot be foretold.

    One whose outcome is known by now is foretold as it would have been when its early signals were in: by weeks of
    which all was known when it began.
    """
    question, daily = weeks.question, weeks.daily
    if begin + question.window > 0 or not question.reaches(daily, begin):
        return None
    if begin + question.takes <= 0:
        starts = question.starts(daily, until=begin)
        if not starts:
            return None
        try:
            index = SurrogateIndex(weeks.joined(starts))
        except ConfigError:  # there were too few users
            return None
    users = weeks.of(begin, (in_arm == name) | (in_arm == MAIN))
    ours: Bools = in_arm[daily.rows(users.users)] == name
    return index.foretell(users, ours) if min(ours.sum(), (~ours).sum()) >= 2 else None


def _arm(
    settings: ArmsSettings,
    name: str,
    begin: datetime | None,
    days: float,
    found: Foretold | None,
    quantile: float,
    signals: Sequence[Signal],
) -> ArmForetold:
    one = ArmForetold(arm=name, policy=settings.groups[name].policy, since=begin and begin.isoformat(), days=days)
    if found is None:
        return one
    low, high = found.interval(quantile)
    update: dict[str, object] = {"users": found.users[0], "users_of_main": found.users[1]}
    update |= {"base": found.base, "outside": found.outside}
    update |= {"predicted": found.predicted, "low": low, "high": high, "error": found.error}
    through = {signal.name: float(part) for signal, part in zip(signals, found.through, strict=True)}
    update |= {"error_of_index": found.error_of_index, "through": through}
    if isfinite(found.true):
        reach = quantile * found.error_of_true
        update |= {"true": found.true, "true_low": found.true - reach, "true_high": found.true + reach}
    return one.model_copy(update=update)


def _scaled(one: ArmForetold, test: Surrogacy | None, quantile: float) -> ArmForetold:
    """An arm with what will come of it if it goes as with those that are known, where they came otherwise."""
    if test is None or not test.told or test.low <= 0 or test.near or one.predicted is None or one.error is None:
        return one
    of_slope = (test.high - test.low) / (2 * ONE_LOOK)
    value, least = test.slope * one.predicted, -(one.base or 0.0)  # nobody does less than nothing
    reach = quantile * hypot(test.slope * one.error, of_slope * one.predicted)
    ends = (max(one_end, least) for one_end in (value, value - reach, value + reach))
    return one.model_copy(update={"scaled": tuple(ends)})


def _drift(weeks: Weeks, starts: Sequence[int], main: Bools) -> tuple[float | None, float | None]:
    """The mean outcome in main of the last week that is known, as the weeks before foretold it, and as it was."""
    before = weeks.question.starts(weeks.daily, until=starts[0])
    if not before:
        return None, None
    try:
        index = SurrogateIndex(weeks.joined(before))
    except ConfigError:  # there were too few users
        return None, None
    last = weeks.of(starts[0], main)
    if not len(last):
        return None, None
    return float(index.predict(last).mean()), float(last.outcome.mean())


def _each(history: Cohort, signals: Sequence[Signal]) -> list[SignalFound]:
    """How well each signal foretells by itself."""
    found = []
    for at, one in enumerate(signals):
        alone = history.only([at])
        correlation = _partial(alone.early[:, 0], alone.outcome, alone.before)
        gain = SurrogateIndex(alone).gain
        found.append(SignalFound(signal=one.name, label=one.label, gain=gain, correlation=correlation))
    return found


def _partial(signal: Doubles, outcome: Doubles, before: Doubles) -> float:
    """The correlation of a signal with the outcome among those who have it and did the same before; 0 where none is."""
    there = ~np.isnan(signal)
    if there.sum() < 10:
        return 0.0
    known = np.column_stack([np.ones(there.sum()), before[there]])
    both = np.column_stack([signal[there], outcome[there]])
    left = both - known @ np.linalg.lstsq(known, both, rcond=None)[0]
    spread = left.std(axis=0)
    return float((left[:, 0] * left[:, 1]).mean() / spread.prod()) if spread.all() else 0.0


def _tested(found: Surrogacy | None, arms: list[str]) -> Tested | None:
    if found is None:
        return None
    ends = (found.low, found.high) if found.told else (None, None)
    slope = found.slope if isfinite(found.slope) else None
    return Tested(arms=arms, slope=slope, low=ends[0], high=ends[1], near=bool(found.near))


def day_of(begin: datetime, cutoff: datetime) -> int:
    """The first whole day since an instant, counted back from the night's end."""
    return -int((cutoff - begin) / timedelta(days=1))
