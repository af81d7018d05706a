"""Backtest folds as features folders of their own, whose rows the engine writes: what a night would have had then.

So a candidate is trained and listed on one as it is tonight, in parts or as a whole by a node, and nothing here reads
the rows. Trainings on the same data share the folders.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.backtests import MAX_USERS, cut
from recmodels.data.domains import FILE as DOMAINS
from recmodels.data.folds import drawn
from recmodels.data.layout import FIRST, HOLDOUT, ITEMS, PREPARED, SPLIT_END, USERS, interactions_file
from recmodels.data.pairs import Pairs
from recmodels.data.parquet import Array, arrow_table
from recmodels.data.stored import StoredDataset
from recmodels.engine.current import engine
from recmodels.engine.work import Bucket, Needs, Work
from recmodels.parted.arrays import linked, mapped
from recmodels.parted.data import EXCLUDED, TABLES, tables_part
from recmodels.parted.training import code, digest_of, made

ROWS, ABOUT, FEATURES = "interactions.parquet", "counts.json", "features"
COLUMNS = ("user_index", "item_index", "timestamp", "weight", "rating", FIRST)
ROWS_A_GROUP = 2**17
MEMORY = 2**30  # bytes of a bucket: a batch of rows, and the pairs of a window


class Window(NamedTuple):
    """A backtest fold on the disk: as `prepared/holdout.parquet` it has what its users did."""

    number: int
    users: int
    features: Path


def windows(
    parts: Path, data: StoredDataset, n_folds: int, days: float, seed: int, *, cold_start: bool
) -> Iterator[Window]:
    """The folds that `rolling_folds` has, for data on the disk.

    Args:
        parts: folder of parts of trainings; the windows stay in it.
        data: the training split.
        n_folds, days, seed, cold_start: see `rolling_folds`.
    """
    data = data.unread()
    key = digest_of(data)
    shared = parts / f"data-{key[:16]}"
    inputs, told = {TABLES: tables_part(shared, data)}, {"days": days, "seed": seed, "cold_start": cold_start}
    about = {"split": data.split, "n_users": data.n_users}
    numbers = range(n_folds)
    buckets = [Bucket(f"window-{number}", inputs, told | about | {"number": number}) for number in numbers]
    to = shared / f"windows-{days:g}-{seed}{'' if cold_start else '-known'}-{code()[:16]}"
    found = engine().map(write_window, buckets, to, code=code(), needs=Needs(memory=MEMORY))
    for number, part in zip(numbers, found, strict=True):
        counts = json.loads((part / ABOUT).read_text())
        if counts["rows"] and counts["users"]:
            whole = to / f"features-{number}"
            if not whole.is_dir():  # trainings may have written more to it: what is not due, say
                made(whole, f"{key} {to.name} {number}", partial(_features_of, data, part))
            yield Window(number, counts["users"], whole / FEATURES)


def write_window(work: Work) -> None:
    """Write the rows of a fold, what its users did in it, and how many of both there are."""
    tables, told = work.inputs[TABLES], work.arguments
    pairs = Pairs(tables / PREPARED, told["split"])
    excluded = mapped(tables, EXCLUDED) if (tables / f"{EXCLUDED}.npy").exists() else None
    known, held = np.zeros(told["n_users"], np.bool_), [np.empty((2, 0), np.int32)]
    rows = 0
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for batch in _whole_users(pairs, [name for name in COLUMNS if name in pairs.names]):
            columns = batch if excluded is None else _some(batch, ~excluded[batch["user_index"]])
            trained, first = columns["weight"] > 0, columns.pop(FIRST, columns["timestamp"])
            parts = cut(columns["timestamp"], first, pairs.end, told["number"], told["days"])
            learned, within = trained & parts.before, trained & parts.within
            held.append(np.stack([columns["user_index"][within], columns["item_index"][within]]))
            known[columns["user_index"][learned]] = True
            rows += int(learned.sum())
            columns["timestamp"] = parts.times
            if "rating" in columns:  # pairs that are excluded from training have no date: they are seen, and no more
                columns["rating"] = np.where(trained, columns["rating"], np.float32(np.nan))
            table = _table(_some(columns, learned | ~trained), parts.start)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(work.out / ROWS, table.schema, compression="zstd"))
            writer.write_table(table, row_group_size=ROWS_A_GROUP)
    users, items = np.concatenate(held, axis=1)
    if not told["cold_start"]:
        users, items = users[known[users]], items[known[users]]
    chosen = drawn(np.unique(users), MAX_USERS, (told["seed"], told["number"]))
    some = np.isin(users, chosen)
    pq.write_table(arrow_table({"user_index": users[some], "item_index": items[some]}), work.out / HOLDOUT)
    (work.out / ABOUT).write_text(json.dumps({"rows": rows, "users": len(chosen)}))


def _whole_users(pairs: Pairs, names: Sequence[str]) -> Iterator[dict[str, Array]]:
    """The rows some at a time, all of a user together."""
    left: dict[str, Array] = {}
    for batch in pairs.batches(names):
        joined = {name: np.concatenate([left[name], column]) if left else column for name, column in batch.items()}
        users = joined["user_index"]
        n = int(np.searchsorted(users, users[-1])) if len(users) else 0  # of the last there may be more
        left = _some(joined, slice(n, None))
        yield _some(joined, slice(n))
    if left:
        yield left


def _some(columns: Mapping[str, Array], rows: Array | slice) -> dict[str, Array]:
    return {name: column[rows] for name, column in columns.items()}


def _table(columns: Mapping[str, Array], end: int) -> pa.Table:
    """Rows by user, then time."""
    table = arrow_table(_some(columns, np.lexsort((columns["timestamp"], columns["user_index"]))))
    at = table.column_names.index("timestamp")
    times = table["timestamp"].cast(pa.timestamp("us", tz="UTC"))
    return table.set_column(at, "timestamp", times).replace_schema_metadata({SPLIT_END: str(end).encode()})


def _features_of(data: StoredDataset, rows: Path, out: Path) -> None:
    """Link what a fold has for itself, and what it has in common with the split, as a features folder."""
    now, then = data.features, out / FEATURES
    linked(rows / ROWS, then / PREPARED / interactions_file(data.split))
    linked(rows / HOLDOUT, then / PREPARED / HOLDOUT)
    for name in (USERS, ITEMS, DOMAINS):
        if (now / PREPARED / name).exists():
            linked(now / PREPARED / name, then / PREPARED / name)
    for path in sorted((now / data.split).rglob("*")):
        if path.is_file():
            linked(path, then / data.split / path.relative_to(now / data.split))
