"""How many ranges of users a log is worked on in, by its rows and the memory there is."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.compute.memory import trim
from recmodels.data.arrays import Longs
from tasks.prepare.events import Source, read_log
from tasks.prepare.interactions import Rows, in_order, picked
from tasks.prepare.ranges import EVENTS, Ranges
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.shelf import Shelf
from tasks.prepare.spilling import range_bounds, spilled

SHARE = 0.5  # of the memory is for this stage: the rest is for other processes, and for cached files
RESERVED = 300_000_000  # bytes of it that do not depend on the rows
A_ROW = 200  # bytes, at the peak of a range
IN_MEMORY = 100  # bytes of a row, where all are in memory: half as much without ratings and where pairs are repeated
EVENTS_AT_A_TIME = 500_000  # by each of two threads
TEXT = 30  # more bytes for an id that is a text then: a code, and its share of the texts, each of which is there once


def read_ranges(valid: Path, settings: PrepareSettings, memory: int, folder: Path, n_ranges: int = 0) -> Ranges:
    """The log in as many ranges as it takes for one of them to fit, or in `n_ranges`.

    What fits stays in `memory` (bytes, of which this stage takes a share); else ranges are files of the `folder`.
    """
    source = Source(valid)
    budget = budget_of(memory)
    n_rows = sum(pq.read_metadata(file).num_rows for file in source.files)
    texts = sum(not pa.types.is_integer(source.schema.field(name).type) for name in ("user_id", "item_id"))
    n_ranges = n_ranges or ranges_for(n_rows, texts, memory)
    if n_ranges > 1:
        return spilled(source, settings, n_ranges, budget, folder)
    log = read_log(valid, settings)
    events_of_user = np.bincount(log.events.user, minlength=len(log.user_ids))
    bounds = bounds_of(events_of_user, len(log.item_ids), 1)
    ranges = Ranges(
        user_ids=log.user_ids,
        item_ids=log.item_ids,
        n=len(bounds) - 1,
        events_of_user=events_of_user,
        rated=log.events.rating is not None,
        shelf=_on_shelf(log.events, bounds),
        duplicates=settings.duplicates,
    )
    del log
    trim()  # of what has been read, which the pairs take as much as
    return ranges


def _on_shelf(events: Rows, bounds: Longs) -> Shelf:
    """The events by ranges of users, each in the order of the log."""
    shelf, n_users = Shelf(None), int(bounds[-1])
    range_of_user = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
    range_of_event = picked(range_of_user, events.user)

    def put(place: int) -> None:
        shelf.put(EVENTS, place, in_order(events.take(np.flatnonzero(range_of_event == place)), n_users))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(put, range(len(bounds) - 1)))
    return shelf


def bounds_of(events_of_user: Longs, n_items: int, n_ranges: int) -> Longs:
    """The first user of each range, and the end: of `n_ranges`, or more where these would be larger than need be.

    Small arrays fit the processor's cache, and memory that is there already; those of a range need not be smaller than
    those of all users or items.
    """
    largest = max(EVENTS_AT_A_TIME, n_items, len(events_of_user))
    n = max(n_ranges, int(events_of_user.sum()) // largest)
    inner = range_bounds(events_of_user, n).tolist() if n > 1 else []
    return np.array([0, *inner, len(events_of_user)], np.int64)


def ranges_for(n_rows: int, texts: int, memory: int) -> int:
    """How many ranges so many rows are worked on in, `texts` of whose two ids are texts."""
    budget = budget_of(memory)
    fit = n_rows * (IN_MEMORY + texts * TEXT) <= budget
    return 1 if fit else math.ceil(n_rows * A_ROW / budget)


def budget_of(memory: int) -> int:
    """Bytes of the memory that are for this stage's rows."""
    return max(int(memory * SHARE) - RESERVED, memory // 10)
