"""The features folder of a demo site of any size, in bounded memory: what models are trained on, without a night.

A row a pair, with its last time and the weight 1, as a night prepares it by default; `full` alone, nothing held out.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data import layout
from recmodels.data.parquet import arrow_table
from tasks.features.documents import item_documents
from tasks.features.settings import FeatureSettings
from tasks.features.terms import fit_terms, write_terms
from tasks.features.user_features import write_user_features

SECOND, FIRST_ITEM = 1_000_000, 1001  # in microseconds; the smallest item id of a demo site
ROW_GROUP = 2**20
SPAN = 2 ** int(np.ceil(np.log2(92 * 86_400)))  # seconds, above the 90 days of a demo site


def write_features(site: Path, out: Path, until: int | None = None) -> None:
    """Read the Parquet tables of a demo site, and write the features of its users, items and pairs.

    `until`: the second since 1970 at which the data end; None: all of them.
    """
    prepared = out / layout.PREPARED
    (prepared / "full").mkdir(parents=True, exist_ok=True)
    (out / "full").mkdir(exist_ok=True)
    items = without_faults(pq.read_table(site / "items.parquet"), "item_id")
    users = without_faults(pq.read_table(site / "users.parquet"), "user_id")
    pq.write_table(items, prepared / layout.ITEMS)
    pq.write_table(users, prepared / layout.USERS)
    start, pairs = _pairs(site, len(users), len(items), until)
    end = until or start + SPAN
    known = _write_pairs(prepared / layout.interactions_file("full"), start, end, pairs, len(users), len(items))
    settings = FeatureSettings()
    documents = item_documents(items, settings, known[1])
    columns = [term for name, texts in documents.items() if (term := fit_terms(name, texts, known[1], settings))]
    write_terms(out / "full", columns, len(items))
    write_user_features(users, known[0], settings, out / "full")


def without_faults(table: pa.Table, key: str) -> pa.Table:
    """The rows that `nightrec demo` did not put in to be found."""
    table = table.filter(pc.is_valid(table[key]))
    _, first = np.unique(table[key].to_numpy(), return_index=True)
    return table.take(np.sort(first))


def _pairs(site: Path, n_users: int, n_items: int, until: int | None) -> tuple[int, NDArray[np.int64]]:
    """The log's first second, and its pairs: (user, second, item) in one number each, sorted."""
    files = sorted(site.glob("interactions*.parquet"))
    ends = [pq.read_table(file, columns=["timestamp"])["timestamp"] for file in (files[0], files[-1])]
    start = int(pc.min(ends[0].cast(pa.int64())).as_py()) // SECOND
    end = SPAN if until is None else until - start
    parts = []
    for file in files:
        table = pq.read_table(file, columns=["user_id", "item_id", "timestamp"]).drop_null()
        user = pc.cast(pc.utf8_slice_codeunits(table["user_id"], 1), pa.int64()).to_numpy() - 1
        item = table["item_id"].to_numpy() - FIRST_ITEM
        second = table["timestamp"].cast(pa.int64()).to_numpy() // SECOND - start
        good = (second >= 0) & (second < end) & (item < n_items) & (user < n_users)
        parts.append(((user * n_items + item) * SPAN + second)[good])
    if n_users * n_items * SPAN >= 2**63:
        raise ValueError("The site is too large for a number of 63 bits a row.")
    keys = np.concatenate(parts)
    del parts
    keys.sort()
    last = np.flatnonzero(np.diff(keys // SPAN, append=-1))
    keys = keys[last]
    del last
    pair, second = np.divmod(keys, SPAN)
    user, item = np.divmod(pair, n_items)
    keys = (user * SPAN + second) * n_items + item
    keys.sort()
    return start, keys


def _write_pairs(
    path: Path, start: int, end: int, pairs: NDArray[np.int64], n_users: int, n_items: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Write them by user and time; returns which users and items there are."""
    users, items = np.zeros(n_users, np.bool_), np.zeros(n_items, np.bool_)
    schema = pa.schema(
        [
            ("user_index", pa.int32()),
            ("item_index", pa.int32()),
            ("timestamp", pa.timestamp("us", "UTC")),
            ("weight", pa.float32()),
        ],
        metadata={layout.SPLIT_END: str(end * SECOND).encode()},
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for at in range(0, len(pairs), ROW_GROUP):
            key, item = np.divmod(pairs[at : at + ROW_GROUP], n_items)
            user, second = np.divmod(key, SPAN)
            users[user] = items[item] = True
            columns = {"user_index": user.astype(np.int32), "item_index": item.astype(np.int32)}
            table = arrow_table(columns | {"weight": np.ones(len(user), np.float32)})
            time = pa.array((start + second) * SECOND).cast(schema.field("timestamp").type)
            writer.write_table(table.append_column("timestamp", time).select(schema.names).cast(schema))
    return users, items
