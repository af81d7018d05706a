"""The log of events by contiguous ranges of users: one at a time is merged, split and cut to the k-core.

Users are sorted by id and nothing of a pair depends on other users but through counts, so that the tables are the
same, to the byte, whatever the number of ranges.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from recmodels.compute.memory import trim
from recmodels.data.arrays import Bools, Ints, Longs
from tasks.prepare.interactions import Repeated, Rows, in_order, merge, new_since
from tasks.prepare.protocols import Protocol, by_item, parted
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.shelf import Shelf

EVENTS, PAIRS, TRAIN, HOLDOUT, RECENT = "events", "pairs", "train", "holdout", "recent"

TRIMS = 16  # times, about, that free memory is given back: its pages are soon asked for again


@dataclass(frozen=True)
class Ranges:
    """The events on a shelf, and the ids that their indices stand for."""

    user_ids: pa.Array
    item_ids: pa.Array
    n: int
    events_of_user: Longs  # how many events each has
    rated: bool
    shelf: Shelf
    duplicates: str

    @property
    def at_once(self) -> int:
        """How many ranges are worked on at a time."""
        return 2 if self.shelf.in_memory else 1

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @property
    def n_events(self) -> int:
        return int(self.events_of_user.sum())

    def events(self, place: int) -> Rows:
        """The events of a range by user, then time, then input order."""
        return (
            self.shelf.rows(EVENTS, place)
            if self.shelf.in_memory
            else in_order(self.shelf.rows(EVENTS, place), self.n_users)
        )

    def pairs(self, place: int) -> Rows:
        """The merged events of a range."""
        if not self.shelf.there(PAIRS, place):
            self.shelf.put(PAIRS, place, merge(self.events(place), self.n_items, self.duplicates))
        return self.shelf.rows(PAIRS, place)

    def parted(self, place: int, start: int) -> tuple[Rows, Rows]:
        """The pairs of a range, and those of what came before an instant (µs); the events since are `RECENT` then."""
        events = self.events(place)
        self.shelf.put(RECENT, place, events.take(events.timestamp >= start))
        repeated = Repeated.of(events, self.n_items)
        if not self.shelf.there(PAIRS, place):
            self.shelf.put(PAIRS, place, repeated.merged(self.duplicates))
        return self.shelf.rows(PAIRS, place), repeated.merged(self.duplicates, start)

    def last_days(self, place: int, start: int, *, repeats: bool = False) -> Rows:
        """Put a range's rows before an instant (µs) on the shelf, to be trained on; what is new since is returned, with
        `repeats` also what users did again.
        """
        pairs, train = self.parted(place, start)
        self.shelf.put(TRAIN, place, train)
        return new_since(pairs, start, repeats=repeats)

    def pairs_of_users(self) -> Longs:
        """How many pairs of positive weight each user has."""
        for place in range(self.n):
            self.pairs(place)
        return self.counts(PAIRS)[0]

    def hold_out(self, protocol: Protocol, settings: PrepareSettings) -> Bools:
        """Part all pairs into those to be trained on and those held out; who has any of the latter, [n_users]."""
        having = np.zeros(self.n_users, np.bool_)
        random = np.random.default_rng(settings.holdout_seed)  # draws one range after the other

        def part(place: int) -> None:
            if protocol.days is None:
                train, held = parted(self.pairs(place), protocol, settings, random, self.n_users)
                self.shelf.put(TRAIN, place, train)
                del train
            else:
                held = self.last_days(place, protocol.start, repeats=settings.holdout_repeats)
            held = by_item(held)
            having[held.user] = True
            self.shelf.put(HOLDOUT, place, held)
            del held
            if place % max(1, self.n // TRIMS) == 0:
                trim()

        with ThreadPoolExecutor(1 if protocol.days is None else self.at_once) as threads:
            list(threads.map(part, range(self.n)))
        return having

    def measure(self, users: Bools) -> None:
        """Hold out nothing but of these users."""
        for place in range(self.n):
            rows = self.shelf.rows(HOLDOUT, place)
            self.shelf.put(HOLDOUT, place, rows.take(users[rows.user]))

    def counts(self, kind: str) -> tuple[Longs, Longs]:
        """How many pairs of positive weight each user has, and each item."""
        of_users, of_items = np.zeros(self.n_users, np.int64), np.zeros(self.n_items, np.int64)
        for place in range(self.n):
            user, item = self.shelf.positives(kind, place)
            of_users += np.bincount(user, minlength=self.n_users)
            of_items += np.bincount(item, minlength=self.n_items)
        return of_users, of_items

    def outside(self, kind: str, users: Bools, items: Bools) -> Iterator[tuple[Ints, Ints]]:
        """The user and the item of each pair of positive weight that is not of some users and some items."""
        for place in range(self.n):
            user, item = self.shelf.positives(kind, place)
            gone = np.flatnonzero(~(users[user] & items[item]))
            yield user[gone], item[gone]

    def n_rows(self, kind: str) -> int:
        return self.shelf.n_rows(kind)

    @property
    def spread(self) -> str:
        """Where the rows are, in words, if not in memory."""
        return "" if self.shelf.in_memory else f", in {self.n} ranges of users"

    def drop(self, *kinds: str) -> None:
        for kind in kinds:
            for place in range(self.n):
                self.shelf.drop(kind, place)


@dataclass(frozen=True)
class Core:
    """The largest part of some pairs in which every count reaches its minimum.

    `users` and `items` are in it, all of them where these are None; the counts are of pairs of positive weight.
    """

    users: Bools | None
    items: Bools | None
    user_counts: Longs
    item_counts: Longs

    def of(self, rows: Rows) -> Rows:
        """Weight 0 for everything outside."""
        if self.users is None or self.items is None:
            return rows
        outside = ~(self.users[rows.user] & self.items[rows.item]) & (rows.weight > 0)
        return replace(rows, weight=np.where(outside, np.float32(0), rows.weight))

    @property
    def positives(self) -> int:
        return int(self.user_counts.sum())


def k_core(ranges: Ranges, kind: str, settings: PrepareSettings) -> Core:
    """The k-core of a kind of pairs: users and items with too few others go, round after round."""
    users = items = None
    of_users, of_items = ranges.counts(kind)
    while True:
        user_counts, item_counts = of_users, of_items
        if users is not None and items is not None:
            user_counts, item_counts = of_users.copy(), of_items.copy()
            for user, item in ranges.outside(kind, users, items):  # few, so that the others are not counted again
                np.subtract.at(user_counts, user, 1)
                np.subtract.at(item_counts, item, 1)
        core = Core(users, items, user_counts, item_counts)
        stay = user_counts >= settings.min_user_interactions, item_counts >= settings.min_item_interactions
        if _all_stay(zip(stay, (user_counts, item_counts), strict=True)):
            return core
        users, items = stay


def _all_stay(sides: Iterable[tuple[Bools, Longs]]) -> bool:
    return all(bool((stay | (counts == 0)).all()) for stay, counts in sides)
