"""Stage 3, prepare: the valid tables become one row a (user, item), dense ids, and a holdout to evaluate on."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.errors import DataRefused
from tasks.prepare.events import read_log
from tasks.prepare.holdout import HoldoutSplit, hold_out, microseconds
from tasks.prepare.interactions import Log, Rows, core, merge
from tasks.prepare.settings import PrepareSettings
from tasks.store.manifests import Manifest, outputs
from tasks.store.opted_out import opted_out_ids
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import PreparedSummary, SplitCounts
from tasks.store.versions import code_of

BOOKKEEPING = ("source_file", "source_row", "opted_out")
ROWS_A_GROUP = 128_000  # so that one user is found without reading all


@stage_task("prepare")
def prepare(
    night: Night, settings: PrepareSettings, cutoff: datetime, valid: Manifest, fresh: bool = False
) -> Manifest[PreparedSummary]:
    """Bring `features/prepared/` up to date with the valid tables."""

    def build(out: Path) -> PreparedSummary:
        return write_prepared(night.valid, settings, cutoff, out)

    parameters = settings.model_dump() | {"cutoff": cutoff.isoformat()}
    inputs = outputs(valid=valid)
    return logged_stage(
        "prepare", night.prepared, build, code=code_of(__name__), inputs=inputs, parameters=parameters, fresh=fresh
    )


def write_prepared(valid: Path, settings: PrepareSettings, cutoff: datetime, out: Path) -> PreparedSummary:
    """Read `valid/` and write `features/prepared/`: users, items, interactions of both splits, the holdout.

    Raises:
        DataRefused: too little is left to train or to evaluate on.
    """
    log = read_log(valid, settings)
    pairs = merge(log, log.events, settings.duplicates)
    split = hold_out(log, pairs, cutoff, settings)
    full = core(log, pairs, settings)
    _refuse_too_small(log, full, split, settings)

    write_index(out / layout.USERS, "user", log.user_ids, valid / "users.parquet")
    write_index(out / layout.ITEMS, "item", log.item_ids, valid / "items.parquet", cutoff)
    names = (layout.interactions_file("train"), layout.interactions_file("full"), layout.HOLDOUT)
    ends = (split.start, microseconds(cutoff), microseconds(cutoff))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write_rows, [out / name for name in names], (split.train, full, split.holdout), ends))
    if split.unseen is not None:
        pq.write_table(pa.table({"user_index": split.unseen.astype(np.int32)}), out / layout.UNSEEN)
    return _summary(log, split, full, settings, cutoff, opted_out=len(opted_out_ids(valid / "users.parquet")))


def _summary(
    log: Log, split: HoldoutSplit, full: Rows, settings: PrepareSettings, cutoff: datetime, *, opted_out: int
) -> PreparedSummary:
    others = {"days": f"{split.days} days", "random": "items at random", "user-fold": "users at random"}
    held_out = others.get(split.protocol, _last_of_each(settings))
    trained_users, _ = log.positive_counts(split.train)
    least = settings.min_rating if log.events.rating is not None else None
    likes = "" if least is None else f"; ratings below {least:g} are no likes (prepare.min_rating)"
    return {
        "message": f"{log.n_users:,} users, {log.n_items:,} items, {len(full):,} pairs; held out: {held_out}{likes}",
        "events": len(log.events),
        "rows": len(full),
        "users": log.n_users,
        "items": log.n_items,
        "opted_out": opted_out,
        "train": _counts(split.train),
        "full": _counts(full),
        "holdout": {
            "protocol": split.protocol,
            "days": split.days,
            "start": datetime.fromtimestamp(split.start / 1_000_000, cutoff.tzinfo).isoformat(),
            "users": int((np.bincount(split.holdout.user) > 0).sum()),
            "warm_users": split.warm_users,
            "left_out": int((trained_users > 0).sum()) - split.warm_users,
            "pairs": len(split.holdout),
            "items": settings.holdout_items,
            "share": settings.holdout_share,
        },
    }


def _counts(rows: Rows) -> SplitCounts:
    return {"rows": len(rows), "positives": int((rows.weight > 0).sum())}


def _last_of_each(settings: PrepareSettings) -> str:
    return (
        "each user's last item" if settings.holdout_items == 1 else f"each user's last {settings.holdout_items} items"
    )


def _refuse_too_small(log: Log, full: Rows, split: HoldoutSplit, settings: PrepareSettings) -> None:
    """Raise DataRefused where too little is left to train or to evaluate on."""
    for kind, counts in zip(("user", "item"), log.positive_counts(full), strict=True):
        if (left := int((counts > 0).sum())) < 2:
            raise DataRefused(
                f"Only {left} {kind}{'s' * (left != 1)} remain to train on, and 2 are needed: the inputs are too "
                "small, or prepare.min_user_interactions, min_item_interactions or min_rating ask for too much."
            )
    if split.warm_users:
        return
    if settings.holdout == "days":
        raise DataRefused(
            f"The holdout would be empty: in the last {settings.holdout_days} days before the cutoff, nobody with a "
            'history did anything new. Raise prepare.holdout_days, or set prepare.holdout = "auto" or "last".'
        )
    raise DataRefused(
        "The holdout would be empty: without their last item, no user has a history left to train on. Give more "
        "interactions, or lower prepare.min_user_interactions, min_item_interactions or min_rating."
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
    pq.write_table(
        table, path, use_dictionary=["weight", "rating"], column_encoding=whole_numbers, row_group_size=ROWS_A_GROUP
    )


def write_index(path: Path, kind: str, ids: pa.Array, source: Path, day: datetime | None = None) -> None:
    """`<kind>_index`, `<kind>_id` and the site's own columns (null for ids that the site's table lacks).

    An item is `available` unless its row says otherwise, or it is not yet or no longer at the beginning of the `day`.
    """
    columns = {f"{kind}_index": pa.array(np.arange(len(ids), dtype=np.int32)), f"{kind}_id": ids}
    if source.exists():
        table = pq.read_table(source)
        rows = pc.index_in(ids, value_set=table[f"{kind}_id"].combine_chunks())
        for name in table.column_names:
            if name not in (*BOOKKEEPING, f"{kind}_id"):
                columns[name] = table[name].combine_chunks().take(rows)
    if kind == "item":
        available = columns.get("available", pa.nulls(len(ids), pa.bool_()))
        columns["available"] = pc.and_(pc.fill_null(available, True), _within_its_time(columns, day))
    pq.write_table(pa.table(columns), path, row_group_size=ROWS_A_GROUP)


def _within_its_time(columns: Mapping[str, pa.Array], day: datetime | None) -> pa.Scalar | pa.Array:
    """Which items have come by an instant and have not gone; those of which nothing is said have."""
    there: pa.Scalar | pa.Array = pa.scalar(True)
    for name, is_there in ("available_from", pc.less_equal), ("available_until", pc.greater):
        if day is not None and name in columns and pa.types.is_timestamp(columns[name].type):
            at = columns[name].cast(pa.timestamp("us", "UTC"))
            there = pc.and_(there, pc.fill_null(is_there(at, pa.scalar(day, at.type)), True))
    return there
