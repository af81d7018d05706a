"""The context of an interaction: its weekday, or what the site says of it, such as the device."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data.dataset import Dataset
from recmodels.data.layout import CONTEXTS, Split
from recmodels.data.parquet import read_columns

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST = 10
"""Values of a context: each has a list for every user."""
NAMES = b"contexts"
"""Schema metadata of stored contexts: the names of the values, as JSON."""

Codes = NDArray[np.int8]


class Contexts(Protocol):
    """In which context pairs of user and item had their last event."""

    @property
    def names(self) -> Sequence[str]:
        """The values, at most `MOST`."""

    def of(self, data: Dataset) -> Codes:
        """The place among `names` of each interaction, -1 where nothing is known of it: int8 [n]."""


@dataclass(frozen=True)
class Weekdays:
    """Days of the week, as they begin in a time zone."""

    zone: str = "UTC"

    @property
    def names(self) -> Sequence[str]:
        return WEEKDAYS

    def of(self, data: Dataset) -> Codes:
        import pyarrow.compute as pc

        times = pa.array(np.ascontiguousarray(data.timestamp), pa.timestamp("us", self.zone))
        days: Codes = pc.day_of_week(times).to_numpy().astype(np.int8)
        return days


class StoredContexts:
    """Those of a split, read when they are asked for.

    An interaction of a fold that ends before the pair's last event has none: what is stored is of a later one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def found(cls, features: Path, split: Split) -> "StoredContexts | None":
        """Those of a features folder, where there are any."""
        path = features / split / CONTEXTS
        return cls(path) if path.exists() else None

    @cached_property
    def names(self) -> Sequence[str]:
        names: list[str] = json.loads((pq.read_schema(self._path).metadata or {})[NAMES])
        return names

    def of(self, data: Dataset) -> Codes:
        stored = self._stored
        key = data.user_index.astype(np.int64) * data.n_items + data.item_index
        known = stored["user_index"].astype(np.int64) * data.n_items + stored["item_index"]  # ascending
        codes = np.full(len(key), -1, np.int8)
        if len(known):
            place = np.minimum(np.searchsorted(known, key), len(known) - 1)
            there = (known[place] == key) & (stored["timestamp"][place] == data.timestamp)
            codes[there] = stored["context"][place[there]]
        return codes

    @cached_property
    def _stored(self) -> dict[str, NDArray[Any]]:
        return read_columns(self._path, ["user_index", "item_index", "timestamp", "context"])
