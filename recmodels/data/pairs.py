"""The rows of a split: those of a file; or those of an earlier night's file, and what has changed since.

A night that writes its tables whole has `<split>/interactions.parquet`. One that continues an earlier night has
`base/`, the same files as that night's prepared tables under its numbers, and beside it, under its own:

- `<split>/changes.parquet`: rows that are new or say something else now, and before which row of their user, among
  those in the base, each belongs (`nth`);
- `<split>/dropped.parquet`: rows of the base that are not there any more, by `user_index` and `nth`;
- `base_users.parquet`, `base_items.parquet`: `base_index`, the number in the base, and `user_index` (or `item_index`)
  tonight, where these are not the same; users who are not in it have no rows any more.

Rows are counted by user, so that all this holds when a user's rows are removed everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.layout import BASE, FIRST, USERS, Split, existing, interactions_file, split_end
from recmodels.data.parquet import Array, as_numpy, read_columns, read_rows

KEY = "user_index"
ROWS = 1_024_000  # read at a time: whole row groups of the prepared tables


def changes_file(split: Split) -> str:
    return f"{split}/changes.parquet"


def dropped_file(split: Split) -> str:
    return f"{split}/dropped.parquet"


def numbers_file(kind: str) -> str:
    """Tonight's numbers of the base's users (or items)."""
    return f"base_{kind}s.parquet"


@dataclass(frozen=True)
class Pairs:
    """A row a (user, item) pair, by user, then time, then input order.

    Attributes:
        prepared: a night's prepared tables.
        split: which of the splits.
    """

    prepared: Path
    split: Split

    @property
    def whole(self) -> bool:
        """Whether one file has all rows."""
        return not (self.prepared / changes_file(self.split)).exists()

    @property
    def file(self) -> Path:
        """The file that has all rows, or those of the base."""
        return existing((self.prepared if self.whole else self.prepared / BASE) / interactions_file(self.split))

    @cached_property
    def names(self) -> list[str]:
        """Of the columns; `first` is among them if any pair was repeated."""
        names = list(pq.read_schema(self.file).names)
        again = not self.whole and FIRST in pq.read_schema(self._changes).names
        return [*names, FIRST] if again and FIRST not in names else names

    @cached_property
    def end(self) -> int:
        """Of the split, microseconds since 1970 (UTC)."""
        return split_end(self.file if self.whole else self._changes)

    def __len__(self) -> int:
        return pq.read_metadata(self.file).num_rows if self.whole else self._spliced.n

    def columns(self, names: Sequence[str], users: Ints | None = None) -> dict[str, Array]:
        """Columns by name; times in microseconds since 1970 (UTC), int64. Each takes its memory once, and some more.

        Args:
            names: of the columns.
            users: whose rows alone are read, ascending [m]; all without it.
        """
        if self.whole:
            return _rows_of(self.file, names, users)
        return {name: self._column(name) for name in names} if users is None else self._columns_of(users, names)

    def batches(self, names: Sequence[str]) -> Iterator[dict[str, Array]]:
        """The same some rows at a time."""
        with pq.ParquetFile(self.file) as file:
            there = [self._stored(name, file.schema_arrow.names) for name in names]
            begin = 0
            for batch in file.iter_batches(ROWS, columns=sorted(set(there))):
                found = {name: as_numpy(batch[stored]) for name, stored in zip(names, there, strict=True)}
                end = begin + len(batch)
                yield found if self.whole else self._spliced.batch(found, begin, end)
                begin = end
            if not begin and not self.whole:
                yield self._spliced.batch({name: np.empty(0, np.int64) for name in names}, 0, 0)

    def base_number(self, user: int) -> int:
        """The number in the base of a user of tonight, -1 for one (or -1) who is not in it."""
        numbers = self._numbers("user")
        if numbers is None or user < 0:
            return user
        found = np.flatnonzero(numbers == user)
        return int(found[0]) if len(found) else -1

    def items(self, base_items: Ints) -> Ints:
        """Tonight's numbers of items of the base."""
        numbers = self._numbers("item")
        return base_items if numbers is None else numbers[base_items]

    def _column(self, name: str) -> Array:
        pieces, n, column = self.batches([name]), 0, None
        for piece in pieces:
            part = piece[name]
            column = np.empty(len(self), part.dtype) if column is None else column
            column[n : n + len(part)] = part
            n += len(part)
        assert column is not None
        return column

    def _columns_of(self, users: Ints, names: Sequence[str]) -> dict[str, Array]:
        """The rows of some users, of whose row groups alone the base's are read."""
        numbers = self._numbers("user")
        in_base = users if numbers is None else np.flatnonzero(np.isin(numbers, users)).astype(np.int32)
        there = {name: self._stored(name, pq.read_schema(self.file).names) for name in names}
        base = read_rows(self.file, sorted({KEY, *there.values()}), KEY, in_base)
        n = len(base[KEY])
        return self._splice(base[KEY], users).batch({name: base[stored] for name, stored in there.items()}, 0, n)

    @staticmethod
    def _stored(name: str, names: Sequence[str]) -> str:
        """The column of a file that has a column's values: where no pair was repeated, each begins at its time."""
        return "timestamp" if name == FIRST and FIRST not in names else name

    @property
    def _changes(self) -> Path:
        return self.prepared / changes_file(self.split)

    def _numbers(self, kind: str) -> Ints | None:
        """Tonight's number of each of the base's users (or items), -1 for those that are gone; None where all have the
        number they had.
        """
        path = self.prepared / numbers_file(kind)
        if not path.exists():
            return None
        table = read_columns(path, ["base_index", f"{kind}_index"])
        n = pq.read_metadata(self.prepared / BASE / f"{kind}s.parquet").num_rows
        numbers = np.full(n, -1, np.int32)
        numbers[table["base_index"]] = table[f"{kind}_index"]
        return numbers

    @cached_property
    def _spliced(self) -> "_Spliced":
        return self._splice(read_columns(self.file, [KEY])[KEY])

    def _splice(self, base_user: Ints, users: Ints | None = None) -> "_Spliced":
        """How rows of these users of the base become those of the split, or those of some users in it."""
        added = _rows_of(self._changes, pq.read_schema(self._changes).names, users)
        added.setdefault(FIRST, added["timestamp"])
        dropped = _rows_of(self.prepared / dropped_file(self.split), [KEY, "nth"], users)
        n_base = pq.read_metadata(self.prepared / BASE / USERS).num_rows
        starts = np.searchsorted(base_user, np.arange(n_base + 1, dtype=base_user.dtype))
        numbers, items = self._numbers("user"), self._numbers("item")
        keep = np.ones(len(base_user), np.bool_)
        if numbers is not None and (numbers < 0).any():
            keep &= (numbers >= 0)[base_user]
        keep[_base_rows(dropped, starts, numbers)] = False
        return _Spliced(numbers, items, keep, np.flatnonzero(~keep), _base_rows(added, starts, numbers), added)


def _rows_of(path: Path, names: Sequence[str], users: Ints | None) -> dict[str, Array]:
    return read_columns(path, names) if users is None else read_rows(path, names, KEY, users)


def _base_rows(rows: dict[str, Array], starts: Longs, numbers: Ints | None) -> Longs:
    """The rows of the base that are the `nth` of users of tonight; of those it does not know, where they would be."""
    base_number: Array = np.minimum(rows[KEY], len(starts) - 1)
    if numbers is not None:
        staying = np.append(np.flatnonzero(numbers >= 0), len(starts) - 1)
        base_number = staying[np.searchsorted(numbers[staying[:-1]], rows[KEY])]
    found: Longs = starts[base_number] + rows["nth"]
    return found


@dataclass(frozen=True)
class _Spliced:
    """How the rows of a base become those of a split.

    Attributes:
        users, items: tonight's numbers of those of the base; None where they are the same.
        keep: which rows of the base stay.
        dropped: the others, ascending.
        before: the row of the base before which each of the `added` belongs, ascending.
        added: columns by name.
    """

    users: Ints | None
    items: Ints | None
    keep: Bools
    dropped: Longs
    before: Longs
    added: dict[str, Array]

    @property
    def n(self) -> int:
        return len(self.keep) - len(self.dropped) + len(self.before)

    def batch(self, columns: dict[str, Array], begin: int, end: int) -> dict[str, Array]:
        """What becomes of the rows of the base from one number to another."""
        low, high = np.searchsorted(self.before, [begin, end])
        high = len(self.before) if end == len(self.keep) else high
        keep, before = self.keep[begin:end], self.before[low:high]
        left, right = np.searchsorted(self.dropped, [begin, end])
        dropped_before = np.searchsorted(self.dropped[left:right], before)
        at = before - begin - dropped_before + np.arange(len(before))
        old = np.ones(len(keep) - int(right - left) + len(at), np.bool_)
        old[at] = False
        return {name: self._mixed(name, column, keep, old, at, slice(low, high)) for name, column in columns.items()}

    def _mixed(self, name: str, column: Array, keep: Bools, old: Bools, at: Longs, chosen: slice) -> Array:
        numbers = {"user_index": self.users, "item_index": self.items}.get(name)
        column = column if numbers is None else numbers[column]
        new = self.added[name][chosen]
        found = np.empty(len(old), new.dtype)
        found[old] = column[keep]
        found[at] = new
        return found
