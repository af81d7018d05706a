"""What the prepared tables keep for the night after: what cannot be read from them, in `known/` beside them.

Merged pairs take in later events, and with these the training split of a later night is made of an earlier one's: the
events of the holdout, the weights that the k-core set to 0, and how many events each user has.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools, Floats, Ints, Longs
from recmodels.data.layout import Split
from recmodels.data.parquet import Array, as_numpy, read_columns
from tasks.prepare.interactions import Rows
from tasks.prepare.tables import WHOLE_NUMBERS, write_rows

KNOWN = "known"
RECENT = f"{KNOWN}/recent.parquet"
EVENTS = f"{KNOWN}/events.parquet"
BATCH = 1_024_000  # rows, whole row groups of the prepared tables


def outside_file(split: Split) -> str:
    return f"{KNOWN}/outside-{split}.parquet"


@dataclass
class Outside:
    """The rows of a split whose weights are set to 0 because they are outside the k-core."""

    _seen: int = 0
    _rows: list[Longs] = field(default_factory=list)
    _users: list[Ints] = field(default_factory=list)
    _weights: list[Floats] = field(default_factory=list)

    def note(self, rows: Rows, cut: Rows) -> None:
        """Note a range, as it was and as it is."""
        changed = np.flatnonzero(rows.weight != cut.weight) if cut is not rows else np.empty(0, np.int64)
        self.add(rows.user[changed], changed + self._seen, rows.weight[changed])
        self._seen += len(rows)

    def add(self, users: Ints, rows: Longs, weights: Floats) -> None:
        """Add what is known to be outside: the users, the numbers of the rows, the weights that they had."""
        self._users.append(users)
        self._rows.append(rows)
        self._weights.append(weights)

    def write(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        table = {
            "user_index": np.concatenate([np.empty(0, np.int32), *self._users]),
            "row": np.concatenate([np.empty(0, np.int64), *self._rows]),
            "weight": np.concatenate([np.empty(0, np.float32), *self._weights]),
        }
        pq.write_table(pa.table(table), path)


def write_kept(out: Path, recent: Iterator[Rows] | None, events_of_user: Longs, start: int) -> None:
    """Write the events from the holdout's start (µs) on, where it has one, and how many events each user has."""
    (out / KNOWN).mkdir(exist_ok=True)
    if recent is not None:
        write_rows(out / RECENT, recent, start, began=False)
    index = np.arange(len(events_of_user), dtype=np.int32)
    counts = pa.table({"user_index": index, "events": events_of_user.astype(np.int32)})
    pq.write_table(
        counts, out / EVENTS, use_dictionary=False, column_encoding=dict.fromkeys(counts.column_names, WHOLE_NUMBERS)
    )


@dataclass(frozen=True)
class PreparedSplit:
    """The pairs of a split of an earlier night, with the weights that they had before the k-core."""

    prepared: Path
    split: Split

    @property
    def path(self) -> Path:
        return self.prepared / layout.interactions_file(self.split)

    @cached_property
    def _metadata(self) -> pq.FileMetaData:
        """Of the file, which is read once a range."""
        return pq.read_metadata(self.path)

    @cached_property
    def _ends(self) -> Longs:
        """The end of each row group."""
        sizes = [self._metadata.row_group(group).num_rows for group in range(self._metadata.num_row_groups)]
        return np.cumsum(sizes, dtype=np.int64)

    @cached_property
    def names(self) -> list[str]:
        return list(self._metadata.schema.to_arrow_schema().names)

    @cached_property
    def end(self) -> int:
        """Of its time, µs since 1970."""
        return layout.split_end(self.path)

    @cached_property
    def first_rows(self) -> Longs:
        """The first row of each user, and the end: [n_users + 1]."""
        n_users = pq.read_metadata(self.prepared / layout.USERS).num_rows
        users = read_columns(self.path, ["user_index"])["user_index"]
        return np.searchsorted(users, np.arange(n_users + 1, dtype=users.dtype))

    @cached_property
    def _outside(self) -> dict[str, Array]:
        return read_columns(self.prepared / outside_file(self.split), ["row", "weight"])

    def columns(self, *names: str) -> Iterator[list[Array]]:
        """Columns of all rows, some rows at a time."""
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(BATCH, columns=list(names)):
                yield [as_numpy(batch[name]) for name in names]

    def outside(self, begin: int, end: int) -> Bools:
        """Which of the rows from one number to another the k-core had left out."""
        low, high = np.searchsorted(self._outside["row"], [begin, end])
        found: Bools = np.zeros(end - begin, np.bool_)
        found[self._outside["row"][low:high] - begin] = True
        return found

    def rows(self, begin: int, end: int) -> Rows:
        """The rows from one number to another."""
        with pq.ParquetFile(self.path, metadata=self._metadata) as file:
            if begin < end:
                first, last = np.searchsorted(self._ends, [begin, end - 1], side="right").tolist()
                table = file.read_row_groups([*range(first, last + 1)])
                table = table.slice(begin - (int(self._ends[first - 1]) if first else 0), end - begin)
            else:
                table = file.schema_arrow.empty_table()
        columns = {name: as_numpy(table[name]) for name in self.names}
        weight = columns["weight"].copy()
        low, high = np.searchsorted(self._outside["row"], [begin, end])
        weight[self._outside["row"][low:high] - begin] = self._outside["weight"][low:high]
        timestamp = columns["timestamp"]
        return Rows(
            user=columns["user_index"],
            item=columns["item_index"],
            timestamp=timestamp,
            first=columns.get(layout.FIRST, timestamp),
            weight=weight,
            rating=columns.get("rating"),
        )


def read_recent(prepared: Path) -> Rows:
    """The events of the holdout of an earlier night."""
    columns = read_columns(prepared / RECENT, pq.read_schema(prepared / RECENT).names)
    timestamp = columns["timestamp"]
    user, item, weight = columns["user_index"], columns["item_index"], columns["weight"]
    return Rows(user, item, timestamp, timestamp, weight, columns.get("rating"))


def events_of_users(prepared: Path) -> Longs:
    """How many events each user of an earlier night had."""
    return read_columns(prepared / EVENTS, ["events"])["events"].astype(np.int64)
