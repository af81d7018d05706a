"""What a replay has found: each model's level and trend, and how every two models differ, with intervals.

Intervals (95 %) come from resampled users: with each drawn sample of them goes all that they did, on all nights and
with all models, so that what nights and models have in common cancels out. A trend, and a difference of a figure that
only nights have, is at least as uncertain as the spread of the nights around it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice

import numpy as np
from scipy.special import stdtrit
from typing_extensions import TypedDict

from recmodels.metrics.beyond_accuracy import Figures
from recmodels.metrics.trends import Estimate, Slope, levels, slopes
from tasks.panel.slopes import line, wide_enough
from tasks.replay.measures import MEASURES, OF_USERS, Measure
from tasks.replay.panel import Panel

FEWEST = 4  # nights of which there is a trend
ONE_MINUS = 0.975
NUMBERS = 2**23  # figures of users that are compared at a time: 64 MiB of them, and as much again to sum them up


class Number(TypedDict):
    """A number, and its interval where there is one."""

    value: float
    low: float | None
    high: float | None


class Estimates(TypedDict):
    """The `level` of a figure over all nights, and its change a day."""

    level: Number | None
    slope: Number | None


class OfModel(Estimates):
    """A figure of a model, and the nights that have it."""

    model: str
    measure: str
    nights: int


class OfPair(Estimates):
    """How much more of a figure `model` has than `other`, of the same users on the same nights."""

    model: str
    other: str
    measure: str


def found_of(panel: Panel) -> tuple[list[OfModel], list[OfPair]]:
    """The levels and slopes of all models, and the differences of all pairs of them."""
    models = range(len(panel.models))
    alone = _estimates(panel, [panel.nights[:, m] for m in models], (panel.values[:, m] for m in models))
    pairs = list(combinations(models, 2))
    apart = _estimates(
        panel,
        [panel.nights[:, a] - panel.nights[:, b] for a, b in pairs],
        (panel.values[:, a] - panel.values[:, b] for a, b in pairs),
        paired=True,
    )
    of_models = [
        OfModel(
            model=panel.models[m],
            measure=one.name,
            nights=int((~np.isnan(panel.nights[:, m, n])).sum()),
            level=alone[m][n]["level"],
            slope=alone[m][n]["slope"],
        )
        for m in models
        for n, one in enumerate(MEASURES)
    ]
    of_pairs = [
        OfPair(
            model=panel.models[a],
            other=panel.models[b],
            measure=one.name,
            level=numbers[n]["level"],
            slope=numbers[n]["slope"],
        )
        for (a, b), numbers in zip(pairs, apart, strict=True)
        for n, one in enumerate(MEASURES)
    ]
    return of_models, of_pairs


def _estimates(
    panel: Panel, nights: Sequence[Figures], values: Iterator[Figures], paired: bool = False
) -> list[list[Estimates]]:
    """For each array of figures, for each measure, its level and slope.

    The figures of users are of as many pairs of models at a time as memory is for: draws are the same for all.
    """
    n, at_a_time = len(OF_USERS), max(1, NUMBERS // max(1, panel.values[:, 0].size))
    found: list[list[Estimates]] = []
    while some := list(islice(values, at_a_time)):
        columns = np.concatenate(some, axis=1)
        of_levels, of_slopes = levels(panel.user, columns), slopes(panel.user, panel.days[panel.at], columns)
        for place, night in enumerate(nights[len(found) : len(found) + len(some)]):
            of_users = dict(zip(OF_USERS, range(n * place, n * place + n), strict=True))
            found.append(
                [
                    _of_nights(panel.days, column, paired)
                    if (at := of_users.get(one.name)) is None
                    else _of_users(panel.days, column, of_levels[at], of_slopes[at])
                    for one, column in zip(MEASURES, night.T, strict=True)
                ]
            )
    return found


def _of_users(days: Figures, nights: Figures, level: Estimate, slope: Slope) -> Estimates:
    there = ~np.isnan(nights)
    steep = None
    if there.sum() >= FEWEST and np.isfinite(slope.value):
        steep = number(wide_enough(slope, line(days[there], nights[there])))
    return Estimates(level=number(level), slope=steep)


def _of_nights(days: Figures, nights: Figures, paired: bool) -> Estimates:
    """Of a figure that only nights have: its mean, with Student's interval where it is a difference."""
    there = ~np.isnan(nights)
    known, count = nights[there], int(there.sum())
    if not count:
        return Estimates(level=None, slope=None)
    mean, low, high = float(known.mean()), None, None
    if paired and count >= FEWEST:
        half = float(stdtrit(count - 1, ONE_MINUS) * known.std(ddof=1) / np.sqrt(count))
        low, high = mean - half, mean + half
    steep = number(line(days[there], known)) if count >= FEWEST else None
    return Estimates(level=Number(value=mean, low=low, high=high), slope=steep)


def number(one: Estimate) -> Number | None:
    """An estimate as JSON has it."""
    if not np.isfinite(one.value):
        return None
    low, high = (None if not np.isfinite(end) else float(end) for end in (one.low, one.high))
    return Number(value=float(one.value), low=low, high=high)


def certain(one: Number | None) -> int:
    """1 or -1 where the interval is on that side of 0; else 0."""
    if one is None or one["low"] is None or one["high"] is None:
        return 0
    return 1 if one["low"] > 0 else -1 if one["high"] < 0 else 0


def better(measure: Measure, one: Number | None) -> int:
    """1 where a difference is certainly for the better, -1 where it is for the worse, 0 where nothing can be told."""
    return measure.better * certain(one)
