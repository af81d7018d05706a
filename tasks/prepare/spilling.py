"""A log that is read a batch at a time: its events go into files of their ranges of users."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints, Longs
from tasks.prepare.events import Source, as_events, refuse_empty, sorted_distinct
from tasks.prepare.interactions import Places, Rows, grouped, picked
from tasks.prepare.ranges import EVENTS, Ranges
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.shelf import Shelf
from tasks.store.duckdb import connect, file_literal
from tasks.store.opted_out import are_among

Encode = Callable[[pa.ChunkedArray], Ints]


def spilled(source: Source, settings: PrepareSettings, n_ranges: int, memory: int, folder: Path) -> Ranges:
    """The events in about `n_ranges` ranges, as files of `folder`.

    Args:
        source: the valid tables.
        settings: how events are weighted and merged.
        n_ranges: fewer where single users have a large share of the rows.
        memory: bytes to keep to, as far as the ids of users and items allow.
        folder: a temporary one.
    """
    user_ids, rows_of_user, item_ids, gone = _ids(source, memory // 2, folder)
    bounds = range_bounds(rows_of_user, n_ranges)
    shelf = Shelf(folder)
    range_of_user = np.searchsorted(bounds, np.arange(len(user_ids)), side="right").astype(np.int32)
    encode = encoder(user_ids), encoder(item_ids)
    with ThreadPoolExecutor(2) as threads:
        for batch in _batches(source, max(memory // 2000, 1)):
            table = batch.filter(pc.invert(pc.is_in(batch["user_id"], value_set=gone))) if len(gone) else batch
            user, item = threads.map(lambda f, column: f(column), encode, (table["user_id"], table["item_id"]))
            events = as_events(user, item, table, settings)
            for place, rows in by_range(events, range_of_user, len(bounds) + 1):
                shelf.add(EVENTS, place, rows)
    return Ranges(
        user_ids=user_ids,
        item_ids=item_ids,
        n=len(bounds) + 1,
        events_of_user=rows_of_user,
        rated="rating" in source.columns,
        shelf=shelf,
        duplicates=settings.duplicates,
    )


def range_bounds(rows_of_user: Longs, n_ranges: int) -> Places:
    """The first user of each range but the first, so that each has some rows, and about as many as another."""
    until = np.cumsum(rows_of_user)  # rows of users up to each one
    targets = until[-1] * np.arange(1, n_ranges) / n_ranges
    bounds = np.unique(np.searchsorted(until, targets, side="left")) + 1
    some_left: Places = bounds[until[bounds - 1] < until[-1]]
    return some_left


def _ids(source: Source, memory: int, folder: Path) -> tuple[pa.Array, Longs, pa.Array, pa.Array]:
    """All user ids in order, the rows of each, all item ids in order, and the users who have opted out."""
    known_users, known_items = source.known("user"), source.known("item")
    with connect(folder, f"{max(memory, 200_000_000)}B") as db:
        counted = _counts(db, source, "user_id")
        found, rows = counted["user_id"].combine_chunks(), counted["n"].to_numpy()
        out = source.opted_out()
        gone = found.filter(are_among(found, out)) if len(out) else found[:0]
        if len(out):
            left = pc.invert(are_among(found, out))
            found, rows = found.filter(left), rows[left.to_numpy(zero_copy_only=False)]
            known_users = known_users.filter(pc.invert(are_among(known_users, out)))
        refuse_empty(len(found))
        items = _counts(db, source, "item_id", gone)["item_id"].combine_chunks()
    user_ids, rows_of_user = with_rows(found, rows, known_users)
    return user_ids, rows_of_user, sorted_distinct(items, known_items), gone


def with_rows(found: pa.Array, rows: Longs, known: pa.Array) -> tuple[pa.Array, Longs]:
    """All ids, of those `found` in the rows and those `known`, in order; how many rows each has."""
    ids = sorted_distinct(found, known)
    rows_of_id = np.zeros(len(ids), np.int64)
    rows_of_id[pc.index_in(found, value_set=ids).to_numpy()] = rows
    return ids, rows_of_id


def _counts(db: duckdb.DuckDBPyConnection, source: Source, column: str, gone: pa.Array | None = None) -> pa.Table:
    """The distinct ids of a column, and `n`, the rows of each, without those of the users that are `gone`."""
    files = ", ".join(map(file_literal, source.files))
    where = ""
    if gone is not None and len(gone):
        db.register("gone", pa.table({"user_id": gone}))
        where = "WHERE user_id NOT IN (SELECT user_id FROM gone)"
    query = f"""
        SELECT {column}, count(*) AS n FROM read_parquet([{files}], hive_partitioning = false) {where} GROUP BY {column}
        """
    table = db.sql(query).to_arrow_table()
    return table.set_column(0, column, table[column].cast(source.schema.field(column).type))


def encoder(ids: pa.Array) -> Encode:
    """What gives the places of some of the `ids`, which are sorted."""
    if pa.types.is_integer(ids.type):
        low, high = ids[0].as_py(), ids[-1].as_py()
        if high - low < 4 * len(ids) + 1000:  # close together: a table over their range is far faster than hashing
            places = np.zeros(high - low + 1, np.int32)
            places[ids.to_numpy() - low] = np.arange(len(ids))
            return lambda column: picked(places, column.to_numpy() - low)
    return lambda column: pc.index_in(column, value_set=ids).to_numpy()


def _batches(source: Source, size: int) -> Iterator[pa.Table]:
    """The rows in order, about `size` at a time."""
    nothing = source.nothing
    gathered, n = [nothing], 0
    for path in source.files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(size, columns=source.columns_of(file.schema_arrow)):
                gathered.append(pa.Table.from_batches([batch]))
                n += len(batch)
                if n >= size:
                    yield pa.concat_tables(gathered, promote_options="default")
                    gathered, n = [nothing], 0
    if n:
        yield pa.concat_tables(gathered, promote_options="default")


def by_range(
    events: Rows, range_of_user: Ints, n_ranges: int, *, also_empty: bool = False
) -> Iterator[tuple[int, Rows]]:
    """The rows of each range that has some among some events, in their order."""
    place = picked(range_of_user, events.user)
    events = events.take(grouped(place, n_ranges))
    ends = np.cumsum(np.bincount(place, minlength=n_ranges))
    for at, (begin, end) in enumerate(zip(np.append(0, ends[:-1]), ends, strict=True)):
        if end > begin or also_empty:
            yield at, events.between(int(begin), int(end))
