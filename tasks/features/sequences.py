"""Each user's items in order of time as a table, for those who ask for it: a row a user, two lists.

No stage reads it, since the prepared rows are in this order; it takes as long as all other features together.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.pairs import Pairs
from recmodels.data.parquet import arrow_table

ROWS = 1_024_000  # written at a time
TIME = pa.timestamp("us", "UTC")
DELTA = "DELTA_BINARY_PACKED"


def write_sequences(path: Path, pairs: Pairs, n_users: int) -> None:
    """Write the items of each user of a split, of the rows of positive weight."""
    with Sequences(path, n_users) as sequences:
        for rows in positives(pairs):
            sequences.add(rows)


def positives(pairs: Pairs) -> Iterator[pa.Table]:
    """`user_index`, `item_index` and `timestamp` (int64, µs) of the rows of positive weight, by user and time."""
    names = ["user_index", "item_index", "timestamp"]
    for batch in pairs.batches([*names, "weight"]):
        chosen = batch["weight"] > 0
        yield arrow_table({name: batch[name] if chosen.all() else batch[name][chosen] for name in names})


class Sequences:
    """A file of each user's items in order of time (an item at its last time), a row a user."""

    def __init__(self, path: Path, n_users: int) -> None:
        self._path, self._n_users = path, n_users
        self._next = 0  # the first user who is not written yet
        self._held: list[pa.Table] = []
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> "Sequences":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            self._write(pa.concat_tables(self._held), self._n_users)
        if self._file:
            self._file.close()

    def add(self, rows: pa.Table) -> None:
        """Rows of these users and of later ones; what is written together does not depend on what is added together."""
        self._held.append(rows)
        while sum(len(held) for held in self._held) >= ROWS:
            table = pa.concat_tables(self._held)
            user = table["user_index"].to_numpy()
            until = int(user[ROWS - 1])  # who may go on
            if user[0] == until:  # with more rows than are to be written together
                until += 1
            complete = int(np.searchsorted(user, until))
            if complete == len(user):
                break
            self._write(table.slice(0, complete), until)
            self._held = [table.slice(complete)]

    def _write(self, rows: pa.Table, until: int) -> None:
        """The rows of all users up to one."""
        begin, self._next = self._next, until
        count = np.bincount(rows["user_index"].to_numpy() - begin, minlength=until - begin)
        offsets = pa.array(np.concatenate([[0], np.cumsum(count)]).astype(np.int32))
        values = rows["item_index"].combine_chunks(), rows["timestamp"].combine_chunks().view(TIME)
        lists = {
            name: pa.ListArray.from_arrays(offsets, column)
            for name, column in zip(("item_index", "timestamp"), values, strict=True)
        }
        table = pa.table({"user_index": pa.array(np.arange(begin, until, dtype=np.int32)), **lists})
        self._file = self._file or pq.ParquetWriter(
            self._path,
            table.schema,
            use_dictionary=False,
            column_encoding={"user_index": DELTA} | {f"{name}.list.element": DELTA for name in lists},
            compression="none",  # takes longer, and makes nothing smaller
        )
        self._file.write_table(table)
