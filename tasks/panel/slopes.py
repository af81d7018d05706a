"""The slopes of a panel over the nights that have kept it, tonight included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.special import stdtrit

from recmodels.data.arrays import Ints
from recmodels.metrics.beyond_accuracy import Figures
from recmodels.metrics.trends import Slope, slopes
from tasks.panel.kept import PAIRS, USERS, WINDOWS, Kept, SlopeFigures
from tasks.panel.measures import BY_NAME, MEASURES, OF_PAIRS, OF_USERS, Measure

FEWEST = 4  # nights of which there is a slope


@dataclass(frozen=True)
class Measured:
    """The panel of a night: its figures, and those of the users and pairs who are followed."""

    run_date: date
    assumed: bool
    figures: Mapping[str, float | None]
    users: pa.Table
    pairs: pa.Table


def measured(kept: Kept) -> Measured:
    """What a night has kept."""
    users, pairs = (pq.read_table(kept.folder / name) for name in (USERS, PAIRS))
    return Measured(kept.run_date, kept.summary["assumed"], kept.summary["figures"], users, pairs)


@dataclass(frozen=True)
class _Rows:
    """A row a unit (a user, or a pair) and night; `figures` is [n_rows, n_figures], of `names`."""

    names: Sequence[str]
    unit: Ints
    day: Figures
    figures: Figures


def slopes_of(nights: Sequence[Measured]) -> dict[str, dict[str, SlopeFigures]]:
    """Slopes up to the last of some nights, by figure and window, where at least half of its nights have the figure.

    Figures of logged exposures are compared with those of logged ones, and of assumed ones with assumed ones.
    """
    days = np.array([one.run_date.toordinal() for one in nights], np.float64)
    same = np.array([one.assumed == nights[-1].assumed for one in nights])
    values = {name: np.array([_number(one.figures.get(name)) for one in nights]) for name in BY_NAME}
    followed = [
        _rows([one.users for one in nights], days, same, OF_USERS),
        _rows([_pairs(one.pairs) for one in nights], days, same, OF_PAIRS),
    ]
    windows = [window for window in WINDOWS if (days > days[-1] - window).sum() >= _fewest(window)]
    steep = {key: one for rows in followed for key, one in _steep(rows, days[-1], windows).items()}
    found: dict[str, dict[str, SlopeFigures]] = {one.name: {} for one in MEASURES}
    for window in windows:
        for one in MEASURES:
            there = (days > days[-1] - window) & ~np.isnan(values[one.name]) & (same if one.exposed else True)
            count = int(there.sum())
            if count < _fewest(window) or not there[-1]:
                continue
            slope = _slope(one, steep.get((one.name, window)), line(days[there], values[one.name][there]))
            if np.isfinite(slope.value):
                found[one.name][str(window)] = SlopeFigures(
                    value=slope.value, low=_finite(slope.low), high=_finite(slope.high), nights=count
                )
    return found


def _slope(measure: Measure, of_users: Slope | None, of_nights: Slope) -> Slope:
    """The slope of a figure, with the interval that it can have."""
    if of_users is not None:
        return wide_enough(of_users, of_nights)
    return of_nights if measure.per == "night" else Slope(of_nights.value, float("nan"), float("nan"))


def _fewest(window: int) -> float:
    """The nights of a window without which it has no slope."""
    return max(FEWEST, window / 2)


def _steep(rows: _Rows, last: float, windows: Sequence[int]) -> dict[tuple[str, int], Slope]:
    """The slopes of all figures over all windows: the same users are drawn for each."""
    if not windows:
        return {}
    late = [np.where((rows.day > last - window)[:, None], rows.figures, np.nan) for window in windows]
    keys = [(name, window) for window in windows for name in rows.names]
    return dict(zip(keys, slopes(rows.unit, rows.day, np.concatenate(late, axis=1)), strict=True))


def line(days: Figures, values: Figures) -> Slope:
    """The slope over nights alone, with the interval of least squares (Student's t)."""
    centered = days - days.mean()
    spread = float(centered @ centered)
    value = float(centered @ values / spread)
    left = values - values.mean() - value * centered
    error = np.sqrt(float(left @ left) / (len(days) - 2) / spread)
    half = float(stdtrit(len(days) - 2, 0.975) * error)
    return Slope(value, value - half, value + half)


def wide_enough(of_users: Slope, of_nights: Slope) -> Slope:
    """A slope whose interval is at least as wide as the spread of the nights around their line says.

    What a night has in common for all users, such as the chance in a training, is nothing that resampled users show.
    """
    half = (of_nights.high - of_nights.low) / 2
    low, high = min(of_users.low, of_users.value - half), max(of_users.high, of_users.value + half)
    return Slope(of_users.value, low, high)


def _rows(tables: Sequence[pa.Table], days: Figures, same: np.ndarray, names: Sequence[str]) -> _Rows:
    """The rows of all nights together, units numbered as their `unit` says."""
    together = pa.concat_tables([_with(table, names, bool(same[n])) for n, table in enumerate(tables)])
    unit = together["unit"].combine_chunks().dictionary_encode()
    unit = unit.combine_chunks() if isinstance(unit, pa.ChunkedArray) else unit
    figures = np.stack([together[name].to_numpy() for name in names], axis=1)
    day = np.repeat(days, [len(table) for table in tables])
    return _Rows(names, unit.indices.to_numpy().astype(np.int32), day, figures.astype(np.float64))


def _with(table: pa.Table, names: Sequence[str], same: bool) -> pa.Table:
    """Units as texts and figures as numbers; those of exposures are left out where they are of another kind."""
    unit = table["unit" if "unit" in table.column_names else "user_id"].cast(pa.string())
    missing = pa.nulls(len(table), pa.float32())
    columns = {
        name: table[name].cast(pa.float32())
        if name in table.column_names and (same or not BY_NAME[name].exposed)
        else missing
        for name in names
    }
    return pa.table({"unit": unit, **columns})


def _pairs(table: pa.Table) -> pa.Table:
    """Pairs as units, with a column for each kind."""
    ids = [table[name].cast(pa.string()) for name in ("user_id", "other_id")]
    kind = pc.if_else(table["nearest"], "nearest", "random")
    nothing = pa.scalar(None, pa.float32())
    return pa.table(
        {
            "unit": pc.binary_join_element_wise(*ids, kind, "\t"),
            "nearest_overlap": pc.if_else(table["nearest"], table["overlap"], nothing),
            "random_overlap": pc.if_else(table["nearest"], nothing, table["overlap"]),
        }
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
