"""The tables of a night that says only what has changed since an earlier one, whose files it shares.

Few rows of a long log change in a day. They are found here range after range, as `tasks.prepare.continued` finds them,
but the pairs that stay what they were are neither put together with them nor written again: `recmodels.data.pairs`
does so wherever they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.layout import Split
from recmodels.data.pairs import changes_file, dropped_file, numbers_file
from tasks.prepare.continued import Continued, Renumbered
from tasks.prepare.growth import Change, NotMergeable, both_of, change_by, in_places
from tasks.prepare.interactions import Places, Rows, new_since
from tasks.prepare.kept import PreparedSplit
from tasks.prepare.ranges import PAIRS, TRAIN, Core
from tasks.prepare.tables import write_changes

MOST_CHANGED = 0.1  # of the events: with more, all tables are written anew
LEAST_EVENTS = 1_000_000  # of the earlier night: smaller tables are written anew in no time, and are whole files then


@dataclass(frozen=True)
class _Part:
    """A range of a split.

    Attributes:
        n: its rows.
        starts: the first row of each of its users in the base, of those after the range's first user.
        change: what becomes of the base's rows by later events.
        noted: which rows of the base may have another weight by the k-core than they had, as they had 0 (`were_out`),
            or their user has too few; `rows` are these, with the weights that they have without it.
    """

    n: int
    starts: Longs
    change: Change
    noted: Places
    were_out: Bools
    rows: Rows


@dataclass(frozen=True)
class Changed(Continued):
    """Ranges that are known by what has changed in them.

    Attributes:
        least: the pairs of a user that the k-core asks for.
    """

    least: int
    _parts: dict[tuple[str, int], _Part] = field(default_factory=dict)
    _counts: dict[str, tuple[Longs, Longs]] = field(default_factory=dict)

    @classmethod
    def of(cls, log: Continued, least: int) -> Changed | None:
        """The same ranges by what has changed; None where the tables are to be written anew."""
        n_old = log.n_events - len(log.new)
        small = n_old < LEAST_EVENTS or len(log.new) > MOST_CHANGED * n_old
        return None if small or log.recent is None else cls(**vars(log), least=least)

    def pairs(self, place: int) -> Rows:
        raise NotMergeable  # what is held out is not what is new in the last days

    def last_days(self, place: int, start: int, *, repeats: bool = False) -> Rows:
        if repeats or self.recent is None or self.earlier.train.end > start:
            raise NotMergeable
        recent = self._within(self.recent, place)
        with ThreadPoolExecutor(1) as other:
            early = recent.take(recent.timestamp < start)
            train = other.submit(self._find, TRAIN, self.earlier.train, place, early)
            base = self._find(PAIRS, self.earlier.full, place, self._within(self.new, place))
            train.result()
        change = self._parts[PAIRS, place].change
        stay = base.timestamp >= start
        stay[change.dropped] = False
        return new_since(both_of(base.take(stay), change.added), start)

    def counts(self, kind: str) -> tuple[Longs, Longs]:
        return self._counts[kind]

    def outside(self, kind: str, users: Bools, items: Bools) -> Iterator[tuple[Ints, Ints]]:
        all_rows = self._any_item_out(kind, items)
        for place in range(self.n):
            part = self._with_all(kind, place) if all_rows else self._parts[kind, place]
            left = ~np.isin(part.noted, part.change.dropped)
            for rows in (part.rows.take(left), part.change.added):
                gone = ~(users[rows.user] & items[rows.item]) & (rows.weight > 0)
                yield rows.user[gone], rows.item[gone]

    def n_rows(self, kind: str) -> int:
        if kind not in self._counts:
            return super().n_rows(kind)
        return sum(self._parts[kind, place].n for place in range(self.n))

    def write_split(self, out: Path, split: Split, kind: str, core: Core, split_end: int) -> None:
        """Write what is to be changed in the base's rows of a split."""
        all_rows = core.items is not None and self._any_item_out(kind, core.items)
        dropped, nths, changes = [], [], []
        for place in range(self.n):
            part = self._with_all(kind, place) if all_rows else self._parts[kind, place]
            change = _with_core(part, core)
            low = int(self.bounds[place])
            user = np.searchsorted(part.starts, change.dropped, side="right").astype(np.int32)
            dropped.append((user + np.int32(low), change.dropped - _first(part.starts, user)))
            nths.append(change.before - _first(part.starts, change.added.user - low))
            changes.append(change.added)
        rows = changes[0]
        for more in changes[1:]:
            rows = both_of(rows, more)
        began = layout.FIRST in self._split_of(kind).names or bool((rows.first != rows.timestamp).any())
        (out / split).mkdir(exist_ok=True)
        write_changes(out / changes_file(split), rows, np.concatenate(nths), split_end, began=began)
        user, nth = (np.concatenate(column) for column in zip(*dropped, strict=True))
        pq.write_table(pa.table({"user_index": user, "nth": nth.astype(np.int32)}), out / dropped_file(split))

    def write_numbers(self, out: Path) -> None:
        """Write which of the base's users and items have which number now, where it is another."""
        for kind, numbers in ("user", self.users), ("item", self.items):
            _write_numbers(out / numbers_file(kind), kind, numbers)

    def _split_of(self, kind: str) -> PreparedSplit:
        return self.earlier.full if kind == PAIRS else self.earlier.train

    def _find(self, kind: str, split: PreparedSplit, place: int, events: Rows) -> Rows:
        """Find what becomes of a range of a split by some events, and count what there is then; the rows before."""
        base, were_out = self._old_and_outside(split, place)
        change = change_by(base, events, self.rule)
        if place == 0:
            self._counts[kind] = np.zeros(self.n_users, np.int64), np.zeros(self.n_items, np.int64)
        low, high = self.bounds[place : place + 2].tolist()
        positive = base.weight > 0
        positive[change.dropped] = False
        added = change.added.weight > 0
        of_users = np.zeros(high - low, np.int64)
        for rows, counted in (base, positive), (change.added, added):
            of_users += np.bincount(rows.user[counted] - low, minlength=high - low)
            item_counts = self._counts[kind][1]
            item_counts += np.bincount(rows.item[counted], minlength=self.n_items)
        self._counts[kind][0][low:high] = of_users
        noted = np.flatnonzero(were_out | (of_users < self.least)[base.user - low])
        self._parts[kind, place] = _Part(
            n=len(base) - len(change.dropped) + len(change.added),
            starts=np.searchsorted(base.user, np.arange(low + 1, high, dtype=np.int32)),
            change=change,
            noted=noted,
            were_out=were_out[noted],
            rows=base.take(noted),
        )
        return base

    def _with_all(self, kind: str, place: int) -> _Part:
        """A range with all of its rows noted."""
        rows, were_out = self._old_and_outside(self._split_of(kind), place)
        return replace(self._parts[kind, place], noted=np.arange(len(rows)), were_out=were_out, rows=rows)

    def _any_item_out(self, kind: str, items: Bools) -> bool:
        """Whether any item is left out that has pairs; if none is, only users are who have too few pairs."""
        return bool((~items & (self._counts[kind][1] > 0)).any())


def _with_core(part: _Part, core: Core) -> Change:
    """What becomes of the rows of the base by later events and by the k-core, which gives some weight 0."""
    cut = core.of(part.rows)
    differ = np.where(part.were_out, np.float32(0), part.rows.weight) != cut.weight
    differ &= ~np.isin(part.noted, part.change.dropped)
    at = part.noted[differ]
    dropped = np.concatenate([part.change.dropped, at])
    return in_places(dropped, at, cut.take(differ), core.of(part.change.added), part.change.before)


def _first(starts: Longs, user: Ints) -> Longs:
    """The first row of each of some users, by their numbers within the range."""
    found: Longs = np.append(0, starts)[user]
    return found


def _write_numbers(path: Path, kind: str, numbers: Renumbered) -> None:
    if numbers.same:
        return
    staying = np.flatnonzero(~numbers.gone)
    table = {"base_index": staying.astype(np.int32), f"{kind}_index": numbers.new[staying]}
    pq.write_table(pa.table(table), path)
