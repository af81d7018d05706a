"""Slices: groups of users and of items for which a candidate is measured apart, so that a loss cannot hide in a mean.

A slice is named `<kind>:<value>`: `history:5-19`, `newness:new`, `items:tail`, `category:shoes`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Ints
from recmodels.data.parquet import arrow_table, as_numpy, read_columns, read_table
from recmodels.metrics.bootstrap import GROUPS as ALL
from recmodels.metrics.bootstrap import bootstrap_intervals
from recmodels.metrics.ranking import Metric
from tasks.evaluate.summary import Figure, SliceFigure
from tasks.store.events import log_event
from tasks.train.settings import EvaluationSettings

Mask = npt.NDArray[np.bool_]
Slices = dict[str, Mask]

HISTORY = {"none": (0, 0), "1-4": (1, 4), "5-19": (5, 19), "20+": (20, np.inf)}  # items in a user's history
HEAD, MIDDLE = 0.5, 0.8  # share of all interactions that the most popular items make up; the rest is the tail
VALUES = 20  # of a column at most, the most frequent ones
GROUPS = 1000  # of users, for the intervals of slices
SLICED = ("ndcg", "recall", "hit_rate")  # what is measured for each slice of users


def user_slices(
    prepared: Path, features: Path, users: npt.NDArray[np.integer[Any]], settings: EvaluationSettings
) -> Slices:
    """The slices that the measured `users` fall into, by history, newness and the columns of the configuration."""
    known = read_columns(features / layout.USER_FEATURES, ["interactions", "age_days"])
    history = known["interactions"][users]
    age = known["age_days"][users]  # NaN without a history
    slices = {f"history:{name}": (history >= low) & (history <= high) for name, (low, high) in HISTORY.items()}
    slices["newness:new"] = ~(age > settings.new_days)
    slices["newness:established"] = age > settings.new_days
    names = [name for name in settings.slices if name in pq.read_schema(prepared / layout.USERS).names]
    table = read_table(prepared / layout.USERS, names).take(arrow_table({"user_index": users})["user_index"])
    for name in names:
        slices |= _by_value(name, table[name])
    return {name: mask for name, mask in slices.items() if mask.any()}


def note_missing(prepared: Path, settings: EvaluationSettings) -> None:
    """Say which columns of the configuration nobody is measured by, as neither the users nor the items have them."""
    tables = [pq.read_schema(prepared / file) for file in (layout.USERS, layout.ITEMS)]
    there = {field.name for table in tables for field in table if not pa.types.is_nested(field.type)}
    if missing := [name for name in settings.slices if name not in there]:
        columns = f"column {missing[0]!r}" if len(missing) == 1 else f"columns {', '.join(map(repr, missing))}"
        text = f"neither the users nor the items have the {columns} with a value each: no slices are measured by it"
        log_event("evaluation.slices", "note", text)


def item_slices(prepared: Path, features: Path, settings: EvaluationSettings) -> Slices:
    """The slices of the items: by popularity in the training split, and by category."""
    count = read_columns(features / layout.ITEM_FEATURES, ["interactions"])["interactions"]
    by_popularity = np.argsort(-count, kind="stable")
    before = np.cumsum(count[by_popularity]) - count[by_popularity]  # interactions of the more popular ones
    share = np.empty(len(count))
    share[by_popularity] = before / max(1, count.sum())
    tail = (share >= MIDDLE) | (count == 0)
    slices = {"items:head": (share < HEAD) & ~tail, "items:middle": (share >= HEAD) & ~tail, "items:tail": tail}
    names = pq.read_schema(prepared / layout.ITEMS).names
    for name in dict.fromkeys(name for name in ("category", *settings.slices) if name in names):
        slices |= _by_value(name, read_table(prepared / layout.ITEMS, [name])[name])
    return slices


def _by_value(name: str, column: pa.ChunkedArray) -> Slices:
    """A slice for each of the most frequent values of a column, one for the others; nulls belong to none."""
    if pa.types.is_nested(column.type):
        return {}
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode("encode")  # nulls have a code, too
    codes, values = as_numpy(coded.indices), coded.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(values))
    found = sorted((-counts[code], value, code) for code, value in enumerate(values) if value is not None)
    slices = {f"{name}:{value}": codes == code for _, value, code in found[:VALUES]}
    if len(found) > VALUES:
        slices[f"{name}:(others)"] = np.isin(codes, [code for _, _, code in found[VALUES:]])
    return slices


def recall_of(items: Mask, truth_row: npt.NDArray[np.intp], truth_item: Ints, found: Mask, n: int) -> Metric:
    """Share of each user's relevant items within `items` that were listed: [n], NaN for users with none."""
    within = items[truth_item]
    relevant = np.bincount(truth_row[within], minlength=n)
    hits = np.bincount(truth_row[within], found[within], minlength=n)
    return np.where(relevant > 0, hits / np.maximum(relevant, 1), np.nan)


def figures(name: str, values: dict[str, Metric], seed: int, level: float) -> list[SliceFigure]:
    """The means of some metrics over the users of a slice, with intervals; NaN users are not counted."""
    found = means(values, seed, level, resamples=500, groups=GROUPS)
    return [
        SliceFigure(slice=name, metric=metric, users=users, **dict(figure)) for metric, (figure, users) in found.items()
    ]


def means(
    values: dict[str, Metric], seed: int, level: float, resamples: int = 1000, groups: int = ALL
) -> dict[str, tuple[Figure, int]]:
    """For each metric the mean over the users that count (those without NaN), its interval, and their number.

    Metrics of the same users are resampled together.
    """
    counts = {metric: ~np.isnan(value) for metric, value in values.items()}
    found: dict[str, tuple[Figure, int]] = {}
    for metrics in _by_users(counts):
        counted = np.column_stack([values[metric][counts[metric]] for metric in metrics])
        if len(counted):
            intervals = bootstrap_intervals(counted, seed, level, resamples, groups)
            for metric, value, (low, high) in zip(metrics, counted.mean(axis=0), intervals, strict=True):
                found[metric] = Figure(value=float(value), low=low, high=high), len(counted)
    return {metric: found[metric] for metric in values if metric in found}


def _by_users(counts: Slices) -> list[list[str]]:
    """Metrics grouped by which users they count: those that count everybody, and each of the others alone."""
    whole = [metric for metric, mask in counts.items() if mask.all()]
    return [*([whole] if whole else []), *([metric] for metric in counts if metric not in whole)]
