"""Bounds on the exposure of items, as a site sets them: by the values of a column of its items."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.ranking.exposure import Bounds
from tasks.features.column_roles import role_of
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import tags_as_written
from tasks.lists.settings import ExposureSettings
from tasks.store.events import log_event


def bounds_of(items: pa.Table, settings: ExposureSettings, features: FeatureSettings, note: bool) -> Bounds:
    """The bounds of `settings.values`, in this order, for items with these values; a `note` says what no item has."""
    values = settings.values
    groups = groups_of(items, settings.column, values, features)
    if note:
        have = {value for some in values_of(items, settings.column, features) for value in some}
        for missing in (value for value in values if value not in have):
            near = get_close_matches(missing, have, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            log_event("lists", "note", f"export.exposure: no item has {missing!r} in {settings.column}{hint}")
    return Bounds(
        *groups,
        least=np.array([settings.least.get(value, 0.0) for value in values]),
        most=np.array([settings.most.get(value, 1.0) for value in values]),
        by_place=settings.measure == "places",
    )


def groups_of(
    items: pa.Table, column: str, values: Sequence[str], features: FeatureSettings
) -> tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", "np.ndarray[tuple[int], np.dtype[np.int32]]"]:
    """Which of `values` each item has, as the rows of a sparse matrix: `indptr` [n_items + 1] and `indices`."""
    place = {value: n for n, value in enumerate(values)}
    of_items = [
        sorted({place[value] for value in some if value in place}) for some in values_of(items, column, features)
    ]
    indptr = np.concatenate([[0], np.cumsum([len(some) for some in of_items])]).astype(np.int64)
    return indptr, np.array([n for some in of_items for n in some], np.int32)


def values_of(items: pa.Table, column: str, features: FeatureSettings) -> list[list[str]]:
    """The values that each item has in a column: several, where it holds tags."""
    if role_of(items, column, features) == "tags":
        return [tags_as_written(value) for value in items[column].to_pylist()]
    written = pc.cast(items[column], pa.string()).to_pylist()
    return [[] if value is None else [value] for value in written]
