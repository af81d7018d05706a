"""The log of what was drawn and seen, read from the store: exposures, joined to what was proposed for their place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data import layout
from tasks.exposures.joined import SECOND, type_of
from tasks.exposures.log import is_assumed, reward_in
from tasks.offpolicy.drawn import NOTHING, Drawn
from tasks.offpolicy.features import Days, features_of
from tasks.store.duckdb import literal, read_parquet
from tasks.store.exports import last_manifest_of, of_the_same_lists
from tasks.store.feedback import EPSILON, EXPORT_ID, PROPOSALS, SHOWN, is_damaged
from tasks.store.paths import Night

MOST = 1_000_000  # lists that are evaluated; of a larger log a sample of the users
CLOSE = 1e-3  # between a logged propensity, which is a float32, and the probability of what was drawn
HASHES = 1 << 20
LATE = 7  # days that lists may have been published before they are seen


class Draw(NamedTuple):
    """What was proposed for the lists of an export."""

    export_id: str
    epsilon: float
    run_date: date
    path: Path


def draws_of(night: Night, days: int) -> list[Draw]:
    """What was proposed for lists that may have been seen in the days before a night, oldest first."""
    found = []
    for run_date, path in _parts(night, PROPOSALS, days + LATE):
        about = pq.read_schema(path).metadata or {}
        if EXPORT_ID not in about or EPSILON not in about:
            continue
        draw = Draw(about[EXPORT_ID].decode(), float(about[EPSILON]), run_date, path)
        way = (last_manifest_of(night.store, draw.export_id) or {}).get("exploration", {}).get("way", "candidates")
        if way == "candidates":  # else the models proposed what was seldom shown, and not what they would show
            found.append(draw)
    return found


def logs_of(night: Night, days: int) -> list[Path]:
    """The log of the days before a night, oldest first."""
    return [path for _, path in _parts(night, SHOWN, days)]


def drawn_of(db: duckdb.DuckDBPyConnection, night: Night, cutoff: datetime, days: int) -> Drawn | None:
    """The lists with a drawn place that were seen in the days before a night; None where there is none."""
    draws, logs = draws_of(night, days), [path for path in logs_of(night, days) if pq.read_metadata(path).num_rows]
    if not draws or not logs:
        return None
    reading = _Reading(db, night, cutoff, draws)
    reward = reward_in(next((path for path in reversed(logs) if not is_assumed(db, path)), logs[-1]))
    same = [path for path in logs if reward_in(path) == reward]
    since = cutoff - timedelta(days=days)
    assumed, share = reading.see(same, since)
    reading.join(reward)
    if not reading.one("SELECT count(*) FROM events"):
        return None
    return reading.drawn(reward, assumed, share, len(logs) - len(same))


class _Reading:
    def __init__(self, db: duckdb.DuckDBPyConnection, night: Night, cutoff: datetime, draws: Sequence[Draw]) -> None:
        self.db, self.night, self.cutoff, self.draws = db, night, cutoff, draws
        tables = ((layout.USERS, "user_id"), (layout.ITEMS, "item_id"))
        self.types = {column: type_of(night.prepared / table, column) for table, column in tables}

    def see(self, logs: Sequence[Path], since: datetime) -> tuple[bool, float]:
        """Make `seen`: the exposures of places that may have been drawn.

        Assumed ones count only where there are no others. Returns whether they do, and the share of the users.
        """
        store = self.night.store
        names = [
            (name, number)
            for number, draw in enumerate(self.draws)
            for name in of_the_same_lists(store, draw.export_id)
        ]
        values = ", ".join(f"({literal(name)}, {number})" for name, number in names)
        slots = " UNION ".join(f"SELECT DISTINCT slot FROM {read_parquet(draw.path)}" for draw in self.draws)
        parts = " UNION ALL ".join(
            f"SELECT {self._ids('user_id', 'item_id')}, export_id, rank, timestamp, arm, propensity, assumed, reward "
            f"FROM {read_parquet(path)}"
            for path in logs
        )
        near = (
            f"({parts}) JOIN (SELECT * FROM (VALUES {values}) AS t(export_id, export)) USING (export_id) "
            f"WHERE timestamp >= {int(since.timestamp()) * SECOND} AND arm = 'main' AND reward IS NOT NULL "
            f"AND rank IN ({slots})"
        )
        counts = f"SELECT count(*) FILTER (NOT assumed), count(*) FILTER (assumed) FROM {near}"
        logged, assumed = self.db.execute(counts).fetchall()[0]
        share = min(1.0, MOST / max(1, logged or assumed))
        self.db.execute(
            f"CREATE TEMP TABLE seen AS SELECT * EXCLUDE (arm, assumed, export_id) FROM {near} "
            f"AND assumed = {not logged} AND hash(user_id) % {HASHES} < {round(share * HASHES)}"
        )
        return not logged, share

    def join(self, reward: str) -> None:
        """Make `proposed`, `lists`, `options` and `events` of what was seen."""
        parts = " UNION ALL ".join(
            f"SELECT {self._ids('user_id', 'item_id', 'usual')}, model, slot, share, {number} AS export, "
            f"{draw.epsilon!r} AS epsilon FROM {read_parquet(draw.path)}"
            for number, draw in enumerate(self.draws)
        )
        self.db.execute(f"CREATE TEMP TABLE proposed AS SELECT * FROM ({parts}) SEMI JOIN seen USING (user_id, export)")
        self.db.execute(
            "CREATE TEMP TABLE lists AS SELECT user_id, export, any_value(slot) AS slot, any_value(usual) AS usual, "
            "any_value(epsilon) AS epsilon FROM proposed GROUP BY user_id, export"
        )
        self.db.execute(
            "CREATE TEMP TABLE choices AS SELECT user_id, export, item_id, sum(chance) AS chance, sum(vote) AS votes "
            "FROM (SELECT user_id, export, item_id, epsilon * share AS chance, 1 AS vote FROM proposed "
            "UNION ALL SELECT user_id, export, usual, 1 - epsilon, 0 FROM lists) GROUP BY user_id, export, item_id"
        )
        worth = "sum" if reward == "outcome" else "max"
        once = (
            f"SELECT user_id, export, item_id, usual, any_value(propensity) AS propensity, {worth}(reward) AS reward, "
            "min(timestamp) AS first FROM seen JOIN lists USING (user_id, export) WHERE rank = slot "
            "GROUP BY user_id, export, item_id, usual "
            "QUALIFY row_number() OVER (PARTITION BY user_id, export ORDER BY min(timestamp), item_id) = 1"
        )
        self.db.execute(
            "CREATE TEMP TABLE events AS SELECT row_number() OVER (ORDER BY user_id, export) - 1 AS event, * "
            f"FROM ({once}) JOIN choices USING (user_id, export, item_id) WHERE abs(propensity - chance) < {CLOSE}"
        )
        self.db.execute(
            "CREATE TEMP TABLE options AS SELECT row_number() OVER (ORDER BY event, item_id) - 1 AS option, event, "
            "user_id, item_id, export, chance, votes "
            "FROM (SELECT event, user_id, export FROM events) JOIN choices USING (user_id, export)"
        )

    def drawn(self, reward: str, assumed: bool, share: float, other_logs: int) -> Drawn:
        """What was seen, as arrays."""
        events = self._arrays(
            "SELECT *, dense_rank() OVER (ORDER BY user_id) - 1 AS user FROM events "
            "JOIN (SELECT event, item_id, option AS shown FROM options) USING (event, item_id) "
            "JOIN (SELECT event, item_id AS usual, option AS usual_option FROM options) USING (event, usual) "
            "ORDER BY event",
            "reward", "user", "export", "shown", "usual_option", "first",
        )  # fmt: skip
        options = self._arrays("SELECT * FROM options ORDER BY option", "event", "chance", "votes")
        places = "SELECT DISTINCT user_id, export FROM seen JOIN lists USING (user_id, export) WHERE rank = slot"
        seen = self.one(f"SELECT count(*) FROM ({places})")
        manifests = [last_manifest_of(self.night.store, draw.export_id) or {} for draw in self.draws]
        return Drawn(
            rewards=events["reward"].astype(np.float64),
            users=events["user"].astype(np.int64),
            exports=events["export"].astype(np.int64),
            shown=events["shown"].astype(np.int64),
            usual=events["usual_option"].astype(np.int64),
            events=options["event"].astype(np.int64),
            chances=options["chance"].astype(np.float64),
            votes=options["votes"].astype(np.int64),
            features=features_of(self.db, self.night, Days([self._cutoff(draw) for draw in self.draws]), self.types),
            proposals=self._proposals(events),
            champions=[str(one.get("champion", "")) for one in manifests],
            reward=reward,
            assumed=assumed,
            share=share,
            other_logs=other_logs,
            left_out=seen - len(events["reward"]),
            first=int(events["first"].min()),
            last=int(events["first"].max()),
        )

    def one(self, query: str) -> int:
        """A single number."""
        ((found,),) = self.db.execute(query).fetchall()
        return int(found)

    def _proposals(self, events: dict[str, NDArray[Any]]) -> dict[str, NDArray[np.int64]]:
        """By model the option that it proposes, as `Drawn` has it."""
        usual, exports = events["usual_option"], events["export"]
        pairs = "SELECT DISTINCT CAST(model AS VARCHAR), export FROM proposed ORDER BY ALL"
        took_part = self.db.execute(pairs).fetchall()
        names = list(dict.fromkeys(name for name, _ in took_part))
        self.db.register("models", pa.table({"name": pa.array(names, pa.string()), "number": range(len(names))}))
        rows = self._arrays(
            "SELECT * FROM options JOIN (SELECT user_id, export, item_id, number FROM proposed JOIN models "
            "ON CAST(model AS VARCHAR) = name) USING (user_id, export, item_id)",
            "event", "option", "number",
        )  # fmt: skip
        found = {}
        for number, name in enumerate(names):
            among = np.isin(exports, [export for model, export in took_part if model == name])
            own, option = rows["number"] == number, np.where(among, usual, NOTHING).astype(np.int64)
            option[rows["event"][own]] = rows["option"][own]
            found[name] = option
        return found

    def _cutoff(self, draw: Draw) -> int:
        """When the lists of an export were made, µs since 1970: nothing later was known."""
        return int((self.cutoff - (self.night.run_date - draw.run_date)).timestamp()) * SECOND

    def _ids(self, *names: str) -> str:
        """SQL: columns with ids, of the types that tonight has."""
        kinds = {**self.types, "usual": self.types["item_id"]}
        return ", ".join(f"TRY_CAST({name} AS {kinds[name]}) AS {name}" for name in names)

    def _arrays(self, query: str, *columns: str) -> dict[str, NDArray[Any]]:
        found = self.db.execute(f"SELECT {', '.join(columns)} FROM ({query})").fetchnumpy()
        return {name: np.asarray(found[name]) for name in columns}


def _parts(night: Night, name: str, days: int) -> list[tuple[date, Path]]:
    """A file of the nights of some days, this one included, oldest first."""
    first = night.run_date - timedelta(days=days)
    found = {day: folder / name for day, folder in night.store.feedbacks().items() if first <= day <= night.run_date}
    return [(day, path) for day, path in found.items() if path.exists() and not is_damaged(path)]
