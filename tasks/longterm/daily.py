"""What users did, day by day: what early signals and outcomes are made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data import layout
from recmodels.data.arrays import Bools, Doubles, Longs
from tasks.exposures.joined import DAY, SECOND, type_of
from tasks.exposures.log import of_one_reward
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.store.duckdb import file_literal, read_parquet, read_parts
from tasks.store.paths import Night

DEEPEST = 730  # days that are looked at


class Daily:
    """The days of some users of a night. Days are counted back from its end: the last one is -1.

    Attributes:
        users: their indices in the night's `users.parquet`, ascending, `[n]`.
        first: the day of each user's first interaction, 0 for those without any, `[n]`.
        days: how many there are since the first interaction of the log, at most two years.
        logged: since which day exposures are logged; 0 where none are.
        has_categories: whether items have categories.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        night: Night,
        cutoff: datetime,
        features: FeatureSettings,
        users: Longs,
        shown: Sequence[Path],
    ) -> None:
        self.db, self.users, self._night, self._cutoff = db, users, night, round(cutoff.timestamp() * SECOND)
        self._note_users()
        self._note_log()
        self.has_categories = self._note_categories(features)
        ((first,),) = db.sql("SELECT least(min(day), 0) FROM log").fetchall()
        self.days = min(-(first or 0), DEEPEST)
        self.first = np.nan_to_num(self._by_user("min(day)", "log"))
        self._events = self._by_day("count(*)", "log")
        self.logged = self._note_shown(shown)
        self._seen = self._by_day("count(*)", "shown") if self.logged else None
        self._rewards = self._by_day("sum(reward)", "shown") if self.logged else None
        self._deepest = self._by_day("max(rank)", "shown") if self.logged else None

    def rows(self, users: NDArray[np.integer]) -> Longs:
        """Where some of the users stand among them. [n]"""
        return np.searchsorted(self.users, users).astype(np.int64)

    def events(self, begin: int, end: int) -> Doubles:
        """How many interactions each user had on each of the days from `begin` to before `end`, [n, days]."""
        return self._cut(self._events, begin, end)

    def seen(self, begin: int, end: int) -> Doubles:
        """How many places of lists they were shown on each of the days, [n, days]."""
        return self._cut(self._seen, begin, end)

    def rewards(self, begin: int, end: int) -> Doubles:
        """What these were rewarded with, [n, days]."""
        return self._cut(self._rewards, begin, end)

    def deepest(self, begin: int, end: int) -> Doubles:
        """The last rank that they were shown; 0 on days without any, [n, days]."""
        return self._cut(self._deepest, begin, end)

    def variety(self, begin: int, end: int) -> Doubles:
        """The entropy of the categories of what each did in some days, in bits; NaN for fewer than two. [n]"""
        between = f"day >= {begin} AND day < {end}"
        rows = f"(SELECT row, category FROM log JOIN categories USING (item_id) WHERE {between})"
        return self._by_user("CASE WHEN count(*) > 1 THEN entropy(category) END", rows)

    def new_items(self, begin: int, end: int) -> Doubles:
        """The share of the items that each used in some days which they had not used before. [n], NaN without any"""
        rows = f"(SELECT row, item_id, min(day) AS first, max(day) AS last FROM log WHERE day < {end} GROUP BY ALL)"
        return self._by_user(f"(count(*) FILTER (first >= {begin})) / count(*)", f"{rows} WHERE last >= {begin}")

    def _note_users(self) -> None:
        users = self._night.prepared / layout.USERS
        self._user_type = type_of(users, "user_id")
        self.db.register(
            "rows", pa.table({"user_index": self.users.astype(np.int32), "row": np.arange(len(self.users))})
        )
        self.db.execute(
            f"CREATE TEMP TABLE chosen AS SELECT user_id, row FROM {read_parquet(users)} JOIN rows USING (user_index)"
        )

    def _note_log(self) -> None:
        log = read_parts(self._night.valid, "interactions")
        self.db.execute(
            f"CREATE TEMP TABLE log AS SELECT row, item_id, {self._day('epoch_us(timestamp)')} AS day "
            f"FROM {log} JOIN chosen USING (user_id) WHERE epoch_us(timestamp) < {self._cutoff}"
        )

    def _note_categories(self, features: FeatureSettings) -> bool:
        items = pq.read_table(self._night.prepared / layout.ITEMS)
        names, pair_item, pair_category = categories_of(items, features)
        of_item = items["item_id"].take(pa.array(pair_item))
        self.db.register("categories", pa.table({"item_id": of_item, "category": pair_category}))
        return bool(names)

    def _note_shown(self, files: Sequence[Path]) -> int:
        """What was shown as a table; since which day, 0 where nothing is logged."""
        files = of_one_reward(self.db, files)
        if not files:
            return 0
        paths = ", ".join(map(file_literal, files))
        self.db.execute(
            f"CREATE TEMP TABLE shown AS SELECT row, {self._day('timestamp')} AS day, rank, reward "
            f"FROM (SELECT * REPLACE (TRY_CAST(user_id AS {self._user_type}) AS user_id) "
            f"FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = true)) "
            f"JOIN chosen USING (user_id) WHERE timestamp < {self._cutoff} AND NOT assumed"
        )
        ((first,),) = self.db.sql("SELECT min(day) FROM shown").fetchall()
        return int(first or 0)

    def _by_user(self, figure: str, rows: str) -> Doubles:
        found = self.db.sql(f"SELECT row, {figure} AS figure FROM {rows} GROUP BY row").to_arrow_table()
        column = np.full(len(self.users), np.nan)
        column[found["row"].to_numpy()] = found["figure"].cast(pa.float64()).to_numpy()
        return column

    def _by_day(self, figure: str, rows: str) -> np.ndarray:
        """A figure of each user and day, float32 [n, days]."""
        where = f"FROM {rows} WHERE day >= {-self.days} GROUP BY row, day"
        found = self.db.sql(f"SELECT row, day, {figure} AS figure {where}").to_arrow_table()
        table = np.zeros((len(self.users), self.days), np.float32)
        row, day = found["row"].to_numpy(), found["day"].to_numpy()
        table[row, self.days + day] = found["figure"].cast(pa.float64()).to_numpy()
        return table

    def _cut(self, table: np.ndarray | None, begin: int, end: int) -> Doubles:
        if table is None:
            return np.zeros((len(self.users), end - begin))
        return table[:, self.days + begin : self.days + end].astype(np.float64)

    def _day(self, time: str) -> str:
        """SQL: the day of an instant, counted back from the night's end; the last one is -1."""
        return f"CAST(-1 - ({self._cutoff} - 1 - {time}) // {DAY} AS INTEGER)"


def active(daily: Daily, begin: int, end: int) -> Bools:
    """Who did anything in some days. [n]"""
    return np.asarray(daily.events(begin, end).any(axis=1), bool)
