"""The single events of a split, where pairs say too little: who comes back to an item how often, and when."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.layout import EVENTS, Split, split_end
from recmodels.data.parquet import read_columns


class Events(NamedTuple):
    """Events by user, then time: n of them."""

    user: Ints  # [n]
    item: Ints  # [n]
    timestamp: Longs  # [n], microseconds since 1970 (UTC)


@dataclass(frozen=True, eq=False)
class EventLog:
    """All events of a split.

    Attributes:
        every: by user, then time.
        end: of the split, microseconds since 1970 (UTC).
    """

    every: Events
    end: int

    def of(self, data: Dataset) -> Events:
        """The events that data of this split, or a fold of it, may know.

        A fold that ends earlier knows what came before; one that ends with the split holds pairs out, of which no
        event is known. Of users without interactions in `data` nothing is.
        """
        user, item, timestamp = self.every
        known = timestamp < data.end
        if data.end < self.end:
            known &= (np.diff(data.indptr) > 0)[user]
        else:
            pairs = data.user_index.astype(np.int64) * data.n_items + data.item_index
            known &= np.isin(user.astype(np.int64) * data.n_items + item, pairs)
        return Events(user[known], item[known], timestamp[known])


class EventsOfItems(EventLog):
    """Those of some items alone, which are looked for when they are asked for."""

    def __init__(self, log: EventLog, items: Bools) -> None:
        """`items`: which ones, [n_items]."""
        object.__setattr__(self, "_log", log)
        object.__setattr__(self, "_items", items)

    @cached_property
    def every(self) -> Events:
        every = vars(self)["_log"].every
        own = vars(self)["_items"][every.item]
        return Events(*(column[own] for column in every))

    @cached_property
    def end(self) -> int:
        end: int = vars(self)["_log"].end
        return end


class StoredEvents(EventLog):
    """Those of a features folder, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        object.__setattr__(self, "_path", path)

    @classmethod
    def found(cls, features: Path, split: Split) -> "StoredEvents | None":
        """Those of a split, where there are any."""
        path = features / split / EVENTS
        return cls(path) if path.exists() else None

    @cached_property
    def every(self) -> Events:
        table = read_columns(vars(self)["_path"], ["user_index", "item_index", "timestamp"])
        return Events(table["user_index"], table["item_index"], table["timestamp"])

    @cached_property
    def end(self) -> int:
        return split_end(vars(self)["_path"])


def events_of(data: Dataset, log: EventLog | None) -> Events:
    """The events of `data` by a log; without one, each pair is a single event at its last time."""
    return Events(data.user_index, data.item_index, data.timestamp) if log is None else log.of(data)
