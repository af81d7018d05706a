"""The slopes of a panel over the nights that have kept it, tonight included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.metrics.beyond_accuracy import Figures
from recmodels.metrics.trends import Slope, slopes
from tasks.panel.kept import PAIRS, USERS, WINDOWS, Kept, SlopeFigures
from tasks.panel.measures import BY_NAME, MEASURES, OF_PAIRS, OF_USERS

FEWEST = 4  # nights of which there is a slope


@dataclass(frozen=True)
class Tonight:
    """A night's panel before it is kept."""

    run_date: date
    assumed: bool
    figures: Mapping[str, float | None]
    users: pa.Table
    pairs: pa.Table


@dataclass(frozen=True)
class _Rows:
    """A row a unit (a user, or a pair) and night; `figures` is [n_rows, n_figures], of `names`."""

    names: Sequence[str]
    unit: Ints
    day: Figures
    figures: Figures


def slopes_of(tonight: Tonight, before: Sequence[Kept]) -> dict[str, dict[str, SlopeFigures]]:
    """Slopes by figure and window, where at least half of the window's nights have the figure.

    Figures of logged exposures are compared with those of logged ones, and of assumed ones with assumed ones.
    """
    nights = [*before]
    days = np.array([one.run_date.toordinal() for one in nights] + [tonight.run_date.toordinal()], np.float64)
    same = np.array([one.summary["assumed"] == tonight.assumed for one in nights] + [True])
    values = {
        name: np.array([_number(one.summary["figures"].get(name)) for one in nights] + [_number(tonight.figures[name])])
        for name in BY_NAME
    }
    followed = [
        _rows([*(_read(one, USERS) for one in nights), tonight.users], days, same, OF_USERS),
        _rows([*(_pairs(_read(one, PAIRS)) for one in nights), _pairs(tonight.pairs)], days, same, OF_PAIRS),
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
            slope = steep.get((one.name, window)) or _line(days[there], values[one.name][there])
            if np.isfinite(slope.value):
                found[one.name][str(window)] = SlopeFigures(
                    value=slope.value, low=_finite(slope.low), high=_finite(slope.high), nights=count
                )
    return found


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


def _line(days: Figures, values: Figures) -> Slope:
    """A slope over nights alone: nobody can be resampled."""
    centered = days - days.mean()
    return Slope(float(centered @ values / (centered @ centered)), float("nan"), float("nan"))


def _rows(tables: Sequence[pa.Table | None], days: Figures, same: np.ndarray, names: Sequence[str]) -> _Rows:
    """The rows of all nights together, units numbered as their `unit` says."""
    there = [n for n, table in enumerate(tables) if table is not None]
    chosen = [_with(table, names, bool(same[n])) for n, table in enumerate(tables) if table is not None]
    together = pa.concat_tables(chosen)
    unit = together["unit"].combine_chunks().dictionary_encode()
    unit = unit.combine_chunks() if isinstance(unit, pa.ChunkedArray) else unit
    figures = np.stack([together[name].to_numpy() for name in names], axis=1) if names else np.zeros((len(unit), 0))
    day = np.repeat(days[there], [len(table) for table in chosen])
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


def _pairs(table: pa.Table | None) -> pa.Table | None:
    """Pairs as units, with a column for each kind."""
    if table is None:
        return None
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


def _read(one: Kept, name: str) -> pa.Table | None:
    path = one.folder / name
    return pq.read_table(path) if path.exists() else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
