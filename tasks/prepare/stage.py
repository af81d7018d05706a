"""Stage 3, prepare: the valid tables become one row a (user, item), dense ids, and a holdout to compare on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Floats, Ints
from recmodels.errors import DataRefused
from tasks.prepare.holdout import Split, hold_out, microseconds
from tasks.prepare.interactions import Log, Rows, core, grouped, merge, picked
from tasks.prepare.settings import PrepareSettings
from tasks.store.files import Json
from tasks.store.manifests import Manifest, outputs
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task

BOOKKEEPING = ("source_file", "source_row", "opted_out")


@stage_task("prepare")
def prepare(night: Night, rules: PrepareSettings, cutoff: datetime, valid: Manifest, fresh: bool = False) -> Manifest:
    """Bring ``features/prepared/`` up to date with the valid tables."""

    def build(out: Path) -> Json:
        return write_prepared(night.valid, rules, cutoff, out)

    parameters = rules.model_dump() | {"cutoff": cutoff.isoformat()}
    inputs = outputs(valid=valid)
    return logged_stage("prepare", night.prepared, build, inputs=inputs, parameters=parameters, fresh=fresh)


def write_prepared(valid: Path, rules: PrepareSettings, cutoff: datetime, out: Path) -> dict[str, Any]:
    """Read ``valid/`` and write ``features/prepared/``: users, items, interactions of both splits, the holdout.

    Raises:
        DataRefused: too little is left to learn from or to measure.
    """
    log = read_log(valid, rules)
    pairs = merge(log, log.events, rules.duplicates)
    split = hold_out(log, pairs, cutoff, rules)
    full = core(log, pairs, rules)
    refuse_too_small(log, full, split, rules)

    write_index(out / layout.USERS, "user", log.user_ids, valid / "users.parquet")
    write_index(out / layout.ITEMS, "item", log.item_ids, valid / "items.parquet")
    names = (layout.interactions_file("train"), layout.interactions_file("full"), layout.HOLDOUT)
    ends = (split.start, microseconds(cutoff), microseconds(cutoff))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write_rows, [out / name for name in names], (split.train, full, split.holdout), ends))
    if split.unseen is not None:
        pq.write_table(pa.table({"user_index": split.unseen.astype(np.int32)}), out / layout.UNSEEN)
    others = {"days": f"{split.days} days", "random": "items at random", "user-fold": "users at random"}
    held = others.get(split.protocol, last_of_each(rules))
    return {
        "message": f"{log.n_users:,} users, {log.n_items:,} items, {len(full):,} pairs; held out: {held}",
        "events": len(log.events),
        "rows": len(full),
        "users": log.n_users,
        "items": log.n_items,
        "opted_out": len(opted_out_ids(valid / "users.parquet")),
        "train": {"rows": len(split.train), "learnt": int((split.train.weight > 0).sum())},
        "full": {"rows": len(full), "learnt": int((full.weight > 0).sum())},
        "holdout": {
            "protocol": split.protocol,
            "days": split.days,
            "start": datetime.fromtimestamp(split.start / 1_000_000, cutoff.tzinfo).isoformat(),
            "users": int((np.bincount(split.holdout.user) > 0).sum()),
            "warm_users": split.warm_users,
            "left_out": int((log.learnt(split.train)[0] > 0).sum()) - split.warm_users,
            "pairs": len(split.holdout),
            "items": rules.holdout_items,
            "share": rules.holdout_share,
        },
    }


def last_of_each(rules: PrepareSettings) -> str:
    return "each user's last item" if rules.holdout_items == 1 else f"each user's last {rules.holdout_items} items"


def read_log(valid: Path, rules: PrepareSettings) -> Log:
    """The events of users that have not opted out, under dense indices for every known user and item."""
    interactions, users = valid / "interactions.parquet", valid / "users.parquet"
    names = pq.read_schema(interactions).names
    columns = ["user_id", "item_id", "timestamp", *(name for name in ("rating", "event") if name in names)]
    table = pq.read_table(interactions, columns=columns)
    known_users, known_items = known_ids(users, "user_id"), known_ids(valid / "items.parquet", "item_id")
    if len(gone := opted_out_ids(users)):
        table = table.filter(pc.invert(pc.is_in(table["user_id"], value_set=gone)))
        known_users = known_users.filter(pc.invert(pc.is_in(known_users, value_set=gone)))
    if not table.num_rows:
        raise DataRefused("No interactions remain: every user of the interactions has opted out (users.opted_out).")
    with ThreadPoolExecutor(2) as threads:
        encoded = threads.map(dense, (table["user_id"], table["item_id"]), (known_users, known_items))
        (user, user_ids), (item, item_ids) = encoded
    timestamp = table["timestamp"].cast(pa.int64()).to_numpy()
    rating = table["rating"].cast(pa.float32()).to_numpy() if "rating" in names else None
    weight = event_weights(table, rules)
    if rating is not None and rules.min_rating is not None:
        weight = np.where(rating < rules.min_rating, np.float32(0), weight)
    del table
    events = Rows(user, item, timestamp, timestamp, weight, rating)
    if (timestamp[1:] < timestamp[:-1]).any():
        events = events.take(np.argsort(timestamp, kind="stable"))
    return Log(events.take(grouped(events.user, len(user_ids))), user_ids, item_ids)


def opted_out_ids(users: Path) -> pa.Array:
    if not users.exists() or "opted_out" not in pq.read_schema(users).names:
        return pa.array([])
    table = pq.read_table(users, columns=["user_id", "opted_out"])
    return table.filter(pc.fill_null(table["opted_out"], False))["user_id"].combine_chunks()


def known_ids(path: Path, column: str) -> pa.Array:
    return pq.read_table(path, columns=[column])[column].combine_chunks() if path.exists() else pa.array([])


def dense(column: pa.ChunkedArray, more: pa.Array) -> tuple[Ints, pa.Array]:
    """Indices into the sorted distinct ids of ``column`` and ``more``, and those ids."""
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


def event_weights(table: pa.Table, rules: PrepareSettings) -> Floats:
    """The weight of each event by its name."""
    if "event" not in table.column_names or not rules.event_weights:
        return np.broadcast_to(np.float32(1), table.num_rows)
    events = table["event"].combine_chunks().dictionary_encode()
    weights = [rules.event_weights.get(event, 1.0) for event in events.dictionary.to_pylist()]
    weight: Floats = np.array([*weights, 1.0], np.float32)[pc.fill_null(events.indices, -1).to_numpy()]
    return weight


def refuse_too_small(log: Log, full: Rows, split: Split, rules: PrepareSettings) -> None:
    """Raise DataRefused where too little is left to learn from or to measure."""
    for kind, counts in zip(("user", "item"), log.learnt(full), strict=True):
        if (left := int((counts > 0).sum())) < 2:
            raise DataRefused(
                f"Only {left} {kind}{'s' * (left != 1)} remain to learn from, and 2 are needed: the inputs are too "
                "small, or prepare.min_user_interactions, min_item_interactions or min_rating ask for too much."
            )
    if split.warm_users:
        return
    if rules.holdout == "days":
        raise DataRefused(
            f"The holdout would be empty: in the last {rules.holdout_days} days before the cutoff, nobody with a "
            'history did anything new. Raise prepare.holdout_days, or set prepare.holdout = "auto" or "last".'
        )
    raise DataRefused(
        "The holdout would be empty: without their last item, no user has a history left to learn from. Give more "
        "interactions, or lower prepare.min_user_interactions or min_item_interactions."
    )


def write_rows(path: Path, rows: Rows, split_end: int) -> None:
    columns: dict[str, Any] = {
        "user_index": rows.user,
        "item_index": rows.item,
        "timestamp": pa.array(rows.timestamp, pa.timestamp("us", "UTC")),
        "weight": rows.weight,
    }
    if rows.rating is not None:
        columns["rating"] = rows.rating
    if rows.first is not rows.timestamp and (rows.first != rows.timestamp).any():
        columns[layout.FIRST] = pa.array(rows.first, pa.timestamp("us", "UTC"))
    table = pa.table(columns).replace_schema_metadata({layout.SPLIT_END: str(split_end)})
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_numbers = dict.fromkeys(("user_index", "item_index", "timestamp"), "DELTA_BINARY_PACKED")
    whole_numbers |= {layout.FIRST: "DELTA_BINARY_PACKED"} if layout.FIRST in columns else {}
    pq.write_table(table, path, use_dictionary=["weight", "rating"], column_encoding=whole_numbers)


def write_index(path: Path, kind: str, ids: pa.Array, source: Path) -> None:
    """``<kind>_index``, ``<kind>_id`` and the site's own columns (null for ids that the site's table lacks)."""
    columns = {f"{kind}_index": pa.array(np.arange(len(ids), dtype=np.int32)), f"{kind}_id": ids}
    if source.exists():
        table = pq.read_table(source)
        rows = pc.index_in(ids, value_set=table[f"{kind}_id"].combine_chunks())
        for name in table.column_names:
            if name not in (*BOOKKEEPING, f"{kind}_id"):
                columns[name] = table[name].combine_chunks().take(rows)
    if kind == "item":
        available = columns.get("available", pa.nulls(len(ids), pa.bool_()))
        columns["available"] = pc.fill_null(available, True)
    pq.write_table(pa.table(columns), path)
