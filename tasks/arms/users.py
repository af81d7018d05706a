"""What each user did since an arm began, and in the weeks before: what arms are compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data import layout
from tasks.arms.used import micros
from tasks.exposures.joined import DAY, type_of
from tasks.exposures.log import of_one_reward
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.store.duckdb import file_literal, read_parquet, read_parts
from tasks.store.paths import Night

BEFORE = timedelta(days=28)
"""Before the arm: what users did then is no effect of it, and tells how active they are anyway (CUPED)."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Doings:
    """What each user of a night did since an instant, `[n_users]` by user index; NaN where there is nothing to say.

    Attributes:
        days: how long ago that instant is.
        came: whether they did anything.
        events: interactions a week.
        events_late: the same in the second half of the time.
        events_before: interactions in the weeks before.
        visits_before: days with any in the weeks before.
        hit_days: the share of their days on which they used an item of their list.
        recall: the share of the items they used that they used out of their list.
        back_7: whether they were active in the week after their first one.
        back_28: whether they were active in the four weeks after their first one.
        waited: days until they came back after their first day, or that they have been watched since.
        came_back: whether they did.
        variety: the entropy of the categories of what they did, in bits.
        variety_before: that of the weeks before.
        exposed: whether they were shown anything, as a site logs it.
        rewards: what rows of their lists were rewarded with, a week: of what was shown or, where a site logs no
            exposures, one for each item that was used.
        rewards_late: the same in the second half of the time.
        of_challenger: of these what went to rows of the challenger in mixed lists, as drawn by lot between teams.
        of_champion: what went to those of the champion.
    """

    days: float
    came: Bools
    events: Floats
    events_late: Floats
    events_before: Floats
    visits_before: Floats
    hit_days: Floats
    recall: Floats
    back_7: Floats
    back_28: Floats
    waited: Floats
    came_back: Bools
    variety: Floats
    variety_before: Floats
    exposed: Bools
    rewards: Floats
    rewards_late: Floats
    of_challenger: Floats
    of_champion: Floats


class Log:
    """The interactions of a night, and what was kept of past ones, under the indices of its users.

    Args:
        db: a database to work in.
        night: the night.
        cutoff: its end. Days are counted back from there.
        settings: which column of the items has their categories; without them there is no variety.
        used: the files with what users did of their lists.
        shown: those with what was shown to them.
        mixed: the champion and the challenger of exports in which lists of an arm were mixed, by export and arm.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        night: Night,
        cutoff: datetime,
        settings: FeatureSettings | None,
        used: Sequence[Path],
        shown: Sequence[Path],
        mixed: Mapping[tuple[str, str], tuple[str, str]],
    ) -> None:
        self.db, self.night, self.cutoff = db, night, micros(cutoff)
        users = night.prepared / layout.USERS
        self.user_type = type_of(users, "user_id")
        db.execute(f"CREATE TEMP TABLE users AS SELECT user_id, user_index FROM {read_parquet(users)}")
        self.n_users: int = db.sql("SELECT count(*) FROM users").fetchall()[0][0]
        self.has_categories = settings is not None and self._note_categories(settings)
        columns = {"export_id": [name for name, _ in mixed], "arm": [arm for _, arm in mixed]}
        columns |= {"champion": [one for one, _ in mixed.values()], "challenger": [one for _, one in mixed.values()]}
        db.register("mixed", pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()}))
        self.used, self.shown = used, of_one_reward(db, shown)

    def since(self, begin: datetime) -> Doings:
        """What each user did since an instant."""
        start = micros(begin)
        days = (self.cutoff - start) / DAY
        self._cut_log(start - round(BEFORE / timedelta(microseconds=1)), start)
        counts = self._by_user(
            "count(*) FILTER (since) AS events, count(*) FILTER (late) AS late, "
            "count(*) FILTER (NOT since) AS events_before, "
            "count(DISTINCT day) FILTER (NOT since) AS visits_before, "
            "count(DISTINCT item_id) FILTER (since) AS items",
            "log",
        )
        self.db.execute("CREATE OR REPLACE TEMP TABLE visits AS SELECT DISTINCT user_index, day FROM log WHERE since")
        self.db.execute(
            "CREATE OR REPLACE TEMP TABLE firsts AS SELECT user_index, min(day) AS first FROM visits GROUP BY ALL"
        )
        visits = self._by_user(
            "any_value(first) AS first, count(*) AS visits, "
            "min(day - first) FILTER (day > first) AS wait, "
            "max((day - first BETWEEN 7 AND 13)::INTEGER) AS back_7, "
            "max((day - first BETWEEN 7 AND 34)::INTEGER) AS back_28",
            "(visits JOIN firsts USING (user_index))",
        )
        used = self._uses(start)
        came, known = ~np.isnan(visits["first"]), bool(self.used)
        watched = -1 - visits["first"]  # days after the first one
        waited = np.where(np.isnan(visits["wait"]), watched, visits["wait"])
        variety = self._variety()
        shown = self._rewards(start) or used
        weeks = days / 7
        return Doings(
            days=days,
            came=came,
            events=_zero(counts["events"]) / weeks,
            events_late=2 * _zero(counts["late"]) / weeks,
            events_before=_zero(counts["events_before"]),
            visits_before=_zero(counts["visits_before"]),
            hit_days=_zero(used["hit_days"]) / np.where(came & known, visits["visits"], np.nan),
            recall=_zero(used["items"]) / np.where(came & known, counts["items"], np.nan),
            back_7=np.where(watched >= 13, visits["back_7"], np.nan),
            back_28=np.where(watched >= 34, visits["back_28"], np.nan),
            waited=np.where(waited > 0, waited, np.nan),
            came_back=~np.isnan(visits["wait"]),
            variety=variety["since"],
            variety_before=variety["before"],
            exposed=_zero(shown["exposures"]) > 0,
            rewards=_zero(shown["rewards"]) / weeks,
            rewards_late=2 * _zero(shown["late"]) / weeks,
            of_challenger=_zero(shown["of_challenger"]) / weeks,
            of_champion=_zero(shown["of_champion"]) / weeks,
        )

    def days_in_log(self) -> float:
        """How many days there are from the first interaction to the cutoff."""
        log = read_parts(self.night.valid, "interactions")
        ((first,),) = self.db.sql(f"SELECT min(epoch_us(timestamp)) FROM {log}").fetchall()
        return 0.0 if first is None else (self.cutoff - first) / DAY

    def days_logged(self) -> float:
        """How many days there are from the first exposure that the site has logged to the cutoff; 0 without any."""
        rows = self._kept(self.shown, 0, "timestamp, assumed")
        ((first,),) = self.db.sql(f"SELECT min(timestamp) FROM {rows} WHERE NOT assumed").fetchall()
        return 0.0 if first is None else (self.cutoff - first) / DAY

    def _note_categories(self, settings: FeatureSettings) -> bool:
        """The categories of the items as a table; whether there are any."""
        items = pq.read_table(self.night.prepared / layout.ITEMS)
        names, pair_item, pair_category = categories_of(items, settings)
        of_item = items["item_id"].take(pa.array(pair_item))
        self.db.register("categories", pa.table({"item_id": of_item, "category": pair_category}))
        return bool(names)

    def _cut_log(self, oldest: int, start: int) -> None:
        """The interactions that count, each with its day (-1 is the last one) and whether it is since the start."""
        self.db.execute(
            f"CREATE OR REPLACE TEMP TABLE log AS SELECT user_index, item_id, {self._day('time')} AS day, "
            f"time >= {start} AS since, time >= {self._middle(start)} AS late "
            "FROM (SELECT user_id, item_id, epoch_us(timestamp) AS time "
            f"FROM {read_parts(self.night.valid, 'interactions')}) JOIN users USING (user_id) "
            f"WHERE time >= {oldest} AND time < {self.cutoff}"
        )

    def _uses(self, start: int) -> dict[str, Floats]:
        """What they used out of their lists, each day and item once."""
        columns = (
            "count(DISTINCT day) AS hit_days, count(DISTINCT item_id) AS items, count(DISTINCT item_id) AS rewards, "
            "0 AS late, "
            f"count(DISTINCT item_id) FILTER ({CHALLENGER}) AS of_challenger, "
            f"count(DISTINCT item_id) FILTER ({CHAMPION}) AS of_champion, 0 AS exposures"
        )
        rows = self._kept(self.used, start, f"item_id, {self._day('timestamp')} AS day, policy, export_id")
        return self._by_user(columns, rows)

    def _rewards(self, start: int) -> dict[str, Floats] | None:
        """What was shown to them, as the site logged it, and how it was rewarded; None where it logs nothing."""
        rows = self._kept(self.shown, start, "timestamp, reward, assumed, policy, export_id")
        found = self._by_user(
            f"count(*) AS exposures, sum(reward) AS rewards, "
            f"sum(reward) FILTER (timestamp >= {self._middle(start)}) AS late, "
            f"sum(reward) FILTER ({CHALLENGER}) AS of_challenger, "
            f"sum(reward) FILTER ({CHAMPION}) AS of_champion",
            f"(SELECT * FROM {rows} WHERE NOT assumed)",
        )
        return found if np.nansum(found["exposures"]) else None

    def _kept(self, files: Sequence[Path], start: int, columns: str) -> str:
        """SQL: rows of past nights since the start, those of mixed lists each with the two models of its export."""
        if not files:
            none = "NULL::INTEGER AS user_index, 0 AS item_id, 0 AS day, 0 AS timestamp, 0 AS reward, true AS assumed"
            return f"(SELECT {none}, '' AS policy, '' AS champion, '' AS challenger WHERE false)"
        paths = ", ".join(map(file_literal, files))
        return (
            f"(SELECT user_index, {columns}, champion, challenger "
            f"FROM (SELECT * REPLACE (TRY_CAST(user_id AS {self.user_type}) AS user_id, "
            "CAST(arm AS VARCHAR) AS arm, CAST(policy AS VARCHAR) AS policy, CAST(export_id AS VARCHAR) AS export_id) "
            f"FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = true)) "
            f"JOIN users USING (user_id) LEFT JOIN mixed USING (export_id, arm) "
            f"WHERE timestamp >= {start} AND timestamp < {self.cutoff})"
        )

    def _variety(self) -> dict[str, Floats]:
        if not self.has_categories:
            return {name: np.full(self.n_users, np.nan) for name in ("since", "before")}
        several = "CASE WHEN count(*) FILTER ({0}) > 1 THEN entropy(category) FILTER ({0}) END"
        return self._by_user(
            f"{several.format('since')} AS since, {several.format('NOT since')} AS before",
            "(log JOIN categories USING (item_id))",
        )

    def _middle(self, start: int) -> int:
        """The instant half-way from the start to the night's end."""
        return (start + self.cutoff) // 2

    def _day(self, time: str) -> str:
        """SQL: the day of an instant, counted back from the night's end; the last one is -1."""
        return f"-1 - ({self.cutoff} - 1 - {time}) // {DAY}"

    def _by_user(self, columns: str, rows: str) -> dict[str, Floats]:
        """Aggregates of rows by user, `[n_users]` each; NaN for users without any."""
        found = self.db.sql(f"SELECT user_index, {columns} FROM {rows} GROUP BY user_index").to_arrow_table()
        index = found["user_index"].to_numpy()
        columns_found = {}
        for name in found.column_names[1:]:
            column = np.full(self.n_users, np.nan)
            column[index] = found[name].cast(pa.float64()).to_numpy()
            columns_found[name] = column
        return columns_found


CHAMPION, CHALLENGER = "policy = champion", "policy = challenger"  # neither is true where lists were not mixed


def _zero(column: Floats) -> Floats:
    return np.nan_to_num(column, nan=0.0)
