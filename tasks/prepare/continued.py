"""The ranges of a night that continues an earlier one: its pairs are those of then, and the events since.

What is the same is not sorted and not merged again: numbers of users and items are replaced by tonight's, which keeps
their order, since ids are in order on both nights; then a day's events are merged in.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.parquet import as_numpy
from tasks.prepare.earlier import Earlier
from tasks.prepare.events import Source, as_events, sorted_distinct
from tasks.prepare.growth import NotMergeable, Rule, grown, interleaved
from tasks.prepare.interactions import Rows, in_order, picked
from tasks.prepare.kept import PreparedSplit, events_of_users, read_recent
from tasks.prepare.ranges import PAIRS, RECENT, Ranges
from tasks.prepare.reading import A_ROW, bounds_of, budget_of, ranges_for
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.shelf import Shelf
from tasks.store.opted_out import are_among

_EXACT = 16.0  # sums of multiples of a sixteenth are exact in float32, in whatever order


@dataclass(frozen=True)
class Renumbered:
    """An earlier night's numbers of users (or items) as tonight's; those that are gone have their predecessor's."""

    new: Ints
    gone: Bools

    @cached_property
    def same(self) -> bool:
        """Whether all are there and have the numbers they had: what is new comes after them."""
        return not self.gone.any() and bool((self.new == np.arange(len(self.new))).all())

    def of(self, numbers: Ints) -> Ints:
        return numbers if self.same else picked(self.new, numbers)

    @classmethod
    def between(cls, old_ids: pa.Array, ids: pa.Array) -> Renumbered:
        place = pc.index_in(old_ids, value_set=ids)
        gone = as_numpy(place.is_null())
        found = as_numpy(pc.fill_null(place, 0))
        return cls(np.maximum.accumulate(found, dtype=np.int32) if len(found) else found, gone)


@dataclass(frozen=True)
class Continued(Ranges):
    """Tonight's ranges, as those of an earlier night and some events.

    Attributes:
        earlier: the night.
        users, items: its numbers as tonight's.
        ends: of each split, the first row of each old user, and the end.
        bounds: the first of tonight's users of each range, and the end.
        new: the events since, by user, time and input order; `recent`: with those of the holdout of then.
        rule: how to merge.
    """

    earlier: Earlier
    users: Renumbered
    items: Renumbered
    bounds: Longs
    new: Rows
    recent: Rows | None
    rule: Rule

    @property
    def at_once(self) -> int:
        return 1  # rows of the earlier night are read from its files, and counted one range after another

    def pairs(self, place: int) -> Rows:
        if not self.shelf.there(PAIRS, place):
            new = self._within(self.new, place)
            self.shelf.put(PAIRS, place, grown(self._old(self.earlier.full, place), new, self.rule))
        return self.shelf.rows(PAIRS, place)

    def parted(self, place: int, start: int) -> tuple[Rows, Rows]:
        if self.recent is None or self.earlier.train.end > start:
            raise NotMergeable
        recent = self._within(self.recent, place)
        self.shelf.put(RECENT, place, recent.take(recent.timestamp >= start))
        earlier = recent.take(recent.timestamp < start)
        return self.pairs(place), grown(self._old(self.earlier.train, place), earlier, self.rule)

    def _within(self, events: Rows, place: int) -> Rows:
        low, high = np.searchsorted(events.user, self._first_users(place))
        return events.between(int(low), int(high))

    def _first_users(self, place: int) -> Ints:
        """The first user of a range and of the next one; of another type, they would have the users copied."""
        return self.bounds[place : place + 2].astype(np.int32)

    def _old(self, split: PreparedSplit, place: int) -> Rows:
        return self._old_and_outside(split, place)[0]

    def _old_and_outside(self, split: PreparedSplit, place: int) -> tuple[Rows, Bools]:
        """The pairs of a split of the earlier night, of the users of a range; which the k-core of then had left out."""
        users = np.searchsorted(self.users.new, self._first_users(place))
        begin, end = (int(split.first_rows[user]) for user in users)
        rows, outside = split.rows(begin, end), split.outside(begin, end)
        if self.users.gone.any():
            stay = ~picked(self.users.gone, rows.user)
            rows, outside = rows.take(stay), outside[stay]
        return replace(rows, user=self.users.of(rows.user), item=self.items.of(rows.item)), outside


def continued(
    earlier: Earlier, valid: Path, settings: PrepareSettings, memory: int, folder: Path, n_ranges: int = 0
) -> Continued | None:
    """Tonight's ranges; None where they cannot be made of the earlier night's tables.

    Args:
        earlier: that night.
        valid: tonight's valid tables.
        settings: the same as then.
        memory: bytes, of which this stage takes a share.
        folder: a temporary one.
        n_ranges: 0 for as many as the memory asks for.
    """
    source = Source(valid)
    table = earlier.new_rows(source) if _can_merge(settings) else None
    if table is None or ("rating" in source.columns) != ("rating" in earlier.full.names):
        return None
    old = {kind: earlier.ids(kind) for kind in ("user", "item")}
    if any(table.schema.field(f"{kind}_id").type != ids.type for kind, ids in old.items()):
        return None
    out, gone = earlier.opted_out(), source.opted_out()
    back = out if not len(gone) else out.filter(pc.invert(are_among(out, gone)))
    back = back.filter(pc.invert(are_among(back, old["user"]))) if len(back) else back
    if len(back) and earlier.has(back):
        return None
    known = {kind: source.known(kind) for kind in old}
    leaves: Bools = np.zeros(len(old["user"]), np.bool_)
    if len(gone):
        table = table.filter(pc.invert(are_among(table["user_id"], gone)))
        known["user"] = known["user"].filter(pc.invert(are_among(known["user"], gone)))
        leaves = as_numpy(pc.fill_null(are_among(old["user"], gone), False))
    with ThreadPoolExecutor(1) as other:  # looks at a column of all rows meanwhile
        train = other.submit(lambda: earlier.train.first_rows)
        met = _met(earlier.full, leaves, len(old["item"]))
        train.result()
    ids = {kind: _ids(old[kind], there, table[f"{kind}_id"], known[kind]) for kind, there in met.items()}
    users, items = (Renumbered.between(old[kind], ids[kind]) for kind in ("user", "item"))
    user, item = (
        as_numpy(pc.index_in(table[f"{kind}_id"].combine_chunks(), value_set=ids[kind])) for kind in ("user", "item")
    )
    new = in_order(as_events(user, item, table, settings), len(ids["user"]))
    recent = _recent(earlier, users, items, new)
    n_events = np.bincount(user, minlength=len(ids["user"]))
    stay = ~users.gone
    n_events[users.new[stay]] += events_of_users(earlier.prepared)[stay]
    if not n_events.any():
        return None
    if len(new if recent is None else recent) * A_ROW > budget_of(memory):
        return None
    n_ranges = n_ranges or ranges_for(int(n_events.sum()), 0, memory)
    bounds = bounds_of(n_events, len(ids["item"]), n_ranges)
    return Continued(
        user_ids=ids["user"],
        item_ids=ids["item"],
        n=len(bounds) - 1,
        events_of_user=n_events,
        rated="rating" in source.columns,
        shelf=Shelf(folder if n_ranges > 1 else None),
        duplicates=settings.duplicates,
        earlier=earlier,
        users=users,
        items=items,
        bounds=bounds,
        new=new,
        recent=recent,
        rule=Rule(settings.duplicates, len(ids["item"]), _all_rated(source)),
    )


def _can_merge(settings: PrepareSettings) -> bool:
    """Whether a sum of weights is the same in whatever order they are added."""
    weights = [1.0, *settings.event_weights.values()]
    return settings.duplicates != "sum" or all(0 <= one < 1000 and (one * _EXACT).is_integer() for one in weights)


def _met(full: PreparedSplit, leaves: Bools, n_items: int) -> dict[str, Bools]:
    """Which users and items of the earlier night there are rows of, without those of users who leave."""
    users = (np.diff(full.first_rows) > 0) & ~leaves
    items = np.zeros(n_items, np.bool_)
    if not leaves.any():
        for (item,) in full.columns("item_index"):
            items[item] = True
    else:
        for user, item in full.columns("user_index", "item_index"):
            items[item[~picked(leaves, user)]] = True
    return {"user": users, "item": items}


def _ids(old: pa.Array, there: Bools, new: pa.ChunkedArray, known: pa.Array) -> pa.Array:
    """All ids, in order."""
    return sorted_distinct(old.filter(pa.array(there)), pa.concat_arrays([new.unique(), known.cast(new.type)]))


def _recent(earlier: Earlier, users: Renumbered, items: Renumbered, new: Rows) -> Rows | None:
    """The events of the holdout of then, and those since; None where its rows were not the last days'."""
    if earlier.protocol != "days":
        return None
    old = read_recent(earlier.prepared)
    old = old.take(~picked(users.gone, old.user))
    old = replace(old, user=users.of(old.user), item=items.of(old.item))
    return interleaved(old, new)


def _all_rated(source: Source) -> bool:
    """Whether every row has a rating, as the files' statistics say, or none has."""
    if "rating" not in source.columns:
        return True
    for file in source.files:
        about = pq.read_metadata(file)
        names = about.schema.names
        if "rating" not in names:
            return False
        for group in range(about.num_row_groups):
            found = about.row_group(group).column(names.index("rating")).statistics
            if found is None or found.null_count != 0:
                return False
    return True
