"""How a figure of a policy goes over the nights, with a band, and whether it rises or falls."""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.metrics.trends import FEWEST, Slope, slopes
from recmodels.simulation.effects import CONFIDENCE, over_runs
from recmodels.simulation.figures import BY_NAME
from recmodels.simulation.redrawn import Redrawn
from recmodels.simulation.runs import Run, mean

POINTS = 25  # of a trajectory: each is the mean of some nights
FEWEST_NIGHTS = 3  # of which there is a slope
DRAWS = 200  # of the intervals of slopes


@dataclass(frozen=True)
class Trajectory:
    """A figure over the nights.

    Attributes:
        figure: which.
        nights: the last night of each point's, from 1.
        values: None where there is none.
        low, high: of the band, None where it is not known.
        slope: how much it changes a night: with one run, each user compared with themselves, and None for figures of
            no user; with several, over the runs.
    """

    figure: str
    nights: list[int]
    values: list[float | None]
    low: list[float | None]
    high: list[float | None]
    slope: Slope | None


def stretches(nights: int) -> list[slice]:
    """Nights in a row that make one point: as many in each, but for the first."""
    each = -(-nights // POINTS)
    ends = list(range(nights, 0, -each))[::-1]
    return [slice(max(0, end - each), end) for end in ends]


def trajectories(runs: list[Run], redrawn: Redrawn) -> list[Trajectory]:
    """Each figure of a policy over the nights. With several runs, bands are over the runs, else over the users."""
    parts = stretches(runs[0].nights)
    ends = [part.stop for part in parts]
    trends = _trends(runs[0], parts) if len(runs) == 1 else _trends_over(runs)
    found = []
    for name in (name for name in BY_NAME if name in runs[0].figures):
        levels = np.array([[run.level(name, part) for part in parts] for run in runs])  # [n_runs, n_points]
        values = [mean(column) for column in levels.T]
        low, high = _over_runs(levels) if len(runs) > 1 else _over_users(name, runs[0], parts, values, redrawn)
        found.append(Trajectory(name, ends, _written(values), _written(low), _written(high), trends.get(name)))
    return found


def _over_runs(levels: Doubles) -> tuple[list[float], list[float]]:
    bands = [over_runs(column[~np.isnan(column)]) if (~np.isnan(column)).any() else None for column in levels.T]
    low = [np.nan if band is None or band.low is None else band.low for band in bands]
    high = [np.nan if band is None or band.high is None else band.high for band in bands]
    return low, high


def _over_users(
    name: str, run: Run, parts: list[slice], values: list[float], redrawn: Redrawn
) -> tuple[list[float], list[float]]:
    if name not in run.by_user:
        return [np.nan] * len(parts), [np.nan] * len(parts)
    users = _points(run, name, parts)
    many = (~np.isnan(users)).sum(axis=0)
    middle, means = redrawn.means(users)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0) - middle
    factor = np.where(many >= FEWEST, many if BY_NAME[name].total else 1, np.nan)
    return list(np.array(values) + factor * low), list(np.array(values) + factor * high)


def _trends(run: Run, parts: list[slice]) -> dict[str, Slope]:
    """The slopes of the figures of users, from their means over the points' nights."""
    names = [name for name in run.by_user if not BY_NAME[name].total]
    if len(parts) < FEWEST_NIGHTS or not names:
        return {}
    begun = np.array(
        [[part.start >= BY_NAME[name].days - 1 for name in names] for part in parts]
    )  # [n_points, n_names]
    columns = {name: np.where(begun[:, n], _points(run, name, parts), np.nan) for n, name in enumerate(names)}
    n_users, n_points = columns[names[0]].shape
    users = np.repeat(np.arange(n_users, dtype=np.int32), n_points)
    days = np.tile(np.array([(part.start + part.stop - 1) / 2 for part in parts]), n_users)
    figures = np.stack([columns[name].ravel() for name in names], axis=1)
    found = slopes(users, days, figures, draws=DRAWS)
    known = zip(names, found, strict=True)
    return {name: one for name, one in known if np.isfinite([one.value, one.low, one.high]).all()}


def _trends_over(runs: list[Run]) -> dict[str, Slope]:
    """The slopes of all figures: least squares over the nights of each run, with Student's interval."""
    found = {}
    for name in (name for name in BY_NAME if all(name in run.figures for run in runs)):
        begun = np.arange(runs[0].nights) >= BY_NAME[name].days - 1
        known = [~np.isnan(run.figures[name]) & begun for run in runs]
        if min(there.sum() for there in known) < FEWEST_NIGHTS:
            continue
        days = np.arange(runs[0].nights, dtype=np.float64)
        each = [np.polyfit(days[there], run.figures[name][there], 1)[0] for run, there in zip(runs, known, strict=True)]
        over = over_runs(np.array(each))
        if over.low is not None and over.high is not None:
            found[name] = Slope(over.value, over.low, over.high)
    return found


def _points(run: Run, name: str, parts: list[slice]) -> Doubles:
    """What each user has of a figure in each of some stretches of nights: [n_users, n_points]."""
    return np.stack([run.of_users(name, part) for part in parts], axis=1)


def _written(values: list[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
