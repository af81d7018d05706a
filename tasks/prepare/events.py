"""The valid interactions as one log of events, its users and items under dense indices."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Floats, Ints
from recmodels.errors import DataRefused
from tasks.prepare.interactions import Log, Rows, grouped, picked
from tasks.prepare.settings import PrepareSettings
from tasks.store.opted_out import are_among, opted_out_ids


def read_log(valid: Path, settings: PrepareSettings) -> Log:
    """The events of users that have not opted out, under dense indices for every known user and item."""
    interactions, users = valid / "interactions.parquet", valid / "users.parquet"
    names = pq.read_schema(interactions).names
    columns = ["user_id", "item_id", "timestamp", *(name for name in ("rating", "event") if name in names)]
    table = pq.read_table(interactions, columns=columns)
    known_users, known_items = _known_ids(users, "user_id"), _known_ids(valid / "items.parquet", "item_id")
    if len(gone := opted_out_ids(users)):
        table = table.filter(pc.invert(are_among(table["user_id"], gone)))
        known_users = known_users.filter(pc.invert(are_among(known_users, gone)))
    if not table.num_rows:
        raise DataRefused("No interactions remain: every user of the interactions has opted out (users.opted_out).")
    with ThreadPoolExecutor(2) as threads:
        encoded = threads.map(_dense, (table["user_id"], table["item_id"]), (known_users, known_items))
        (user, user_ids), (item, item_ids) = encoded
    timestamp = table["timestamp"].cast(pa.int64()).to_numpy()
    rating = table["rating"].cast(pa.float32()).to_numpy() if "rating" in names else None
    weight = _event_weights(table, settings)
    if rating is not None and settings.min_rating is not None:
        weight = np.where(rating < settings.min_rating, np.float32(0), weight)
    del table
    events = Rows(user, item, timestamp, timestamp, weight, rating)
    if (timestamp[1:] < timestamp[:-1]).any():
        events = events.take(np.argsort(timestamp, kind="stable"))
    return Log(events.take(grouped(events.user, len(user_ids))), user_ids, item_ids)


def _known_ids(path: Path, column: str) -> pa.Array:
    return pq.read_table(path, columns=[column])[column].combine_chunks() if path.exists() else pa.array([])


def _dense(column: pa.ChunkedArray, more: pa.Array) -> tuple[Ints, pa.Array]:
    """Indices into the sorted distinct ids of `column` and `more`, and those ids."""
    if pa.types.is_integer(column.type):
        ids, others = column.to_numpy(), more.cast(pa.int64()).to_numpy()
        low, high = (int(pick(np.append(others, pick(ids)))) for pick in (np.min, np.max))
        room = 4 * len(ids) + 1000
        if high - low < room:  # close together: a table over their range is far faster than hashing
            low = 0 if low >= 0 and high < room else low
            places = ids - low if low else ids
            known = np.zeros(high - low + 1, np.bool_)
            known[places] = known[others - low] = True
            index = (np.cumsum(known) - 1).astype(np.int32)
            return picked(index, places), pa.array(np.flatnonzero(known) + low)
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):  # strings beyond 2 GiB stay chunked
        encoded = encoded.unify_dictionaries().combine_chunks()
    found = encoded.dictionary
    ids = pc.unique(pa.concat_arrays([found, more.cast(found.type)]))
    ids = ids.take(pc.array_sort_indices(ids))
    rank = pc.index_in(found, value_set=ids).to_numpy()
    return picked(rank.astype(np.int32), encoded.indices.to_numpy()), ids


def _event_weights(table: pa.Table, settings: PrepareSettings) -> Floats:
    """The weight of each event by its name."""
    if "event" not in table.column_names or not settings.event_weights:
        return np.broadcast_to(np.float32(1), table.num_rows)
    events = table["event"].combine_chunks().dictionary_encode()
    weights = [settings.event_weights.get(event, 1.0) for event in events.dictionary.to_pylist()]
    weight: Floats = np.array([*weights, 1.0], np.float32)[pc.fill_null(events.indices, -1).to_numpy()]
    return weight
