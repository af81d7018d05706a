"""What was known of an option before it could be shown: of its user, its item, and of the two together.

Everything is as it was at the cutoff of the night that made the list, so that no feature knows what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data import layout
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.store.duckdb import read_parts
from tasks.store.parts import parts
from tasks.store.paths import Night

DAY = 86_400_000_000  # µs


@dataclass(frozen=True)
class Days:
    """The cutoffs of the exports by number, ascending, µs since 1970."""

    cutoffs: Sequence[int]

    def sql(self, timestamp: str) -> str:
        """SQL: the number of the first export whose night knew of a time."""
        return " + ".join(f"({timestamp} >= {cutoff})::INTEGER" for cutoff in self.cutoffs)


def features_of(
    db: duckdb.DuckDBPyConnection, night: Night, days: Days, types: Mapping[str, str]
) -> NDArray[np.float32]:
    """Features of the table `options`, in its order, float32 `[m, d]`.

    How active the user had been, how popular and how old the item was, the place, and which share of the user's
    history was of the item's category, where items have one.
    """
    if not parts(night.valid, "interactions"):  # the working files are gone: the model of the reward is a mean
        return np.zeros((db.execute("SELECT count(*) FROM options").fetchall()[0][0], 1), np.float32)
    user, item = (f"TRY_CAST({name} AS {kind}) AS {name}" for name, kind in types.items())
    db.execute(
        f"CREATE TEMP VIEW happened AS SELECT {user}, {item}, epoch_us(timestamp) AS time, "
        f"{days.sql('epoch_us(timestamp)')} AS known FROM {read_parts(night.valid, 'interactions')}"
    )
    db.register("categories", _categories(night))
    db.execute(
        "CREATE TEMP TABLE popularity AS SELECT item_id, export, sum(n) AS n, min(first) AS first FROM "
        "(SELECT DISTINCT item_id, export FROM options) JOIN "
        "(SELECT item_id, known, count(*) AS n, min(time) AS first FROM happened GROUP BY item_id, known) "
        "USING (item_id) WHERE known <= export GROUP BY item_id, export"
    )
    db.execute(
        "CREATE TEMP TABLE histories AS SELECT user_id, known, category, count(*) AS n "
        "FROM happened SEMI JOIN events USING (user_id) LEFT JOIN categories USING (item_id) "
        "GROUP BY user_id, known, category"
    )
    db.execute(
        "CREATE TEMP TABLE activity AS SELECT user_id, export, sum(n) AS n FROM (SELECT user_id, export FROM events) "
        "JOIN histories USING (user_id) WHERE known <= export GROUP BY user_id, export"
    )
    db.execute(
        "CREATE TEMP TABLE affinity AS SELECT user_id, export, category, sum(n) AS n "
        "FROM (SELECT user_id, export FROM events) JOIN histories USING (user_id) "
        "WHERE known <= export AND category IS NOT NULL GROUP BY user_id, export, category"
    )
    cutoff = f"([{', '.join(map(str, days.cutoffs))}]::BIGINT[])[export + 1]"
    found = db.execute(
        f"""
        SELECT CAST(ln(1 + coalesce(activity.n, 0)) AS FLOAT) AS active,
               CAST(ln(1 + coalesce(popularity.n, 0)) AS FLOAT) AS popular,
               CAST(ln(1 + coalesce({cutoff} - popularity.first, 0) / {DAY}) AS FLOAT) AS age,
               CAST(coalesce(affinity.n / activity.n, 0) AS FLOAT) AS affine,
               CAST(slot AS FLOAT) AS place
        FROM options LEFT JOIN activity USING (user_id, export) LEFT JOIN popularity USING (item_id, export)
        LEFT JOIN categories USING (item_id) LEFT JOIN affinity USING (user_id, export, category)
        LEFT JOIN lists USING (user_id, export)
        ORDER BY option
        """
    ).fetchnumpy()
    return np.stack([np.asarray(column, np.float32) for column in found.values()], axis=1)


def _categories(night: Night) -> pa.Table:
    """The category of each item, its first one; no rows where items have none."""
    items = pq.read_table(night.prepared / layout.ITEMS)
    names, item, category = categories_of(items, FeatureSettings())
    _, first = np.unique(item, return_index=True)
    return pa.table(
        {
            "item_id": items["item_id"].take(pa.array(item[first])),
            "category": pa.array(category[first], pa.int32()) if names else pa.array([], pa.int32()),
        }
    )
