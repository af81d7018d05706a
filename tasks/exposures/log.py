"""The lasting log of what was shown and what came of it: each night adds the exposures whose outcome it knows.

An exposure is of a user, an item, a rank, a time and an export; it is logged once, by the first night that knows what
came of it. A site may hand in the last day each night, or the last month: what is too young tonight waits beside the
log for the next night, and what other nights have logged is left out. Hours are compared by a checksum first, so that
a month that is handed in again costs little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from recmodels.data import layout
from tasks.exposures.joined import COLUMNS, ROWS_A_GROUP, SECOND, type_of
from tasks.exposures.settings import FeedbackSettings
from tasks.store.duckdb import literal, quoted, read_parquet, read_parts
from tasks.store.events import log_event
from tasks.store.feedback import SHOWN, WAITING, is_damaged, learned
from tasks.store.paths import Night

HOUR = 3600 * SECOND
KEY = ("user_id", "item_id", "rank", "timestamp", "export_id")
FACTS = [name for name in COLUMNS if not name.endswith("_index")]
REWARD = b"reward"
"""Schema metadata of the log: what its rewards are, one of `clicked`, `outcome` and `interaction`."""


def write_log(
    db: duckdb.DuckDBPyConnection, night: Night, settings: FeedbackSettings, cutoff: datetime, joined: Path
) -> int:
    """Write what a night adds to the log, and what waits for the next one; returns how many rows it adds.

    A night that is run again keeps what it had logged of times and exports of which it is given nothing now.
    """
    try:
        return _write(_Log(db, night), settings, cutoff, joined)
    except duckdb.Error:
        if not (unreadable := [path for path in _parts(night) if not _is_readable(db, path)]):
            raise
        for path in unreadable:
            log_event("feedback", "note", f"{path} is damaged, and left out: remove it")
        return _write(_Log(db, night, unreadable), settings, cutoff, joined)


def _write(log: _Log, settings: FeedbackSettings, cutoff: datetime, joined: Path) -> int:
    until, night = _micros(cutoff - timedelta(hours=settings.outcome_hours)), log.night
    log.gather(joined)
    log.leave_out_logged(_micros(cutoff - timedelta(days=settings.keep_days)), until)
    reward = log.reward_of(settings)
    with learned(night.store, night.run_date, SHOWN) as path:
        log.write(f"SELECT *, TRY_CAST({log.rewarded(reward, settings)} AS FLOAT) AS reward FROM fresh", path, reward)
    with learned(night.store, night.run_date, WAITING) as path:
        log.write(f"SELECT * FROM candidates WHERE timestamp >= {until}", path, reward)
    return log.one("SELECT count(*) FROM fresh")


def log_files(night: Night) -> list[Path]:
    """What a night leaves of the log."""
    return [night.store.feedback(night.run_date) / name for name in (SHOWN, WAITING)]


def reward_in(path: Path) -> str:
    """What the rewards of a night's part of the log are."""
    return ((pq.read_schema(path).metadata or {}).get(REWARD) or b"").decode()


def is_assumed(db: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether the exposures of a night's part of the log are assumed, by its first one; it has one at least."""
    return bool(db.execute(f"SELECT assumed FROM {read_parquet(path)} LIMIT 1").fetchall()[0][0])


def of_one_reward(db: duckdb.DuckDBPyConnection, parts: Sequence[Path]) -> list[Path]:
    """The parts of the log that are not assumed and whose rewards are what those of most rows are: none else add up."""
    rows = {path: pq.read_metadata(path).num_rows for path in parts}
    logged = [path for path in parts if rows[path] and not is_assumed(db, path)]
    counts = Counter[str]()
    for path in logged:
        counts[reward_in(path)] += rows[path]
    return [path for path in logged if reward_in(path) == max(counts, key=counts.__getitem__)]


class _Log:
    """The exposures of a night on their way into the log, in tables of a database."""

    def __init__(self, db: duckdb.DuckDBPyConnection, night: Night, without: Sequence[Path] = ()) -> None:
        self.db, self.night = db, night
        self.parts = [path for path in _parts(night) if path not in without]
        for table in ("candidates", "more", "given", "fresh", "hours", "logged", "done"):  # of a try that failed
            db.execute(f"DROP TABLE IF EXISTS {table}")
        tables = ((layout.USERS, "user_id"), (layout.ITEMS, "item_id"))
        self.types = {column: type_of(night.prepared / table, column) for table, column in tables}

    def gather(self, joined: Path) -> None:
        """Make the table `candidates`: tonight's exposures, what waited, and what an earlier run of the night logged.

        Of the latter what is given again is taken anew, and what is not stays: the input may have moved on, and exports
        may be gone.
        """
        facts = ", ".join(map(quoted, FACTS))
        users, items = (read_parquet(self.night.prepared / name) for name in (layout.USERS, layout.ITEMS))
        self.db.execute(
            f"CREATE TEMP TABLE candidates AS SELECT user_id, item_id, {facts} FROM {read_parquet(joined)} "
            f"JOIN (SELECT user_id, user_index FROM {users}) USING (user_index) "
            f"JOIN (SELECT item_id, item_index FROM {items}) USING (item_index)"
        )
        first, last = self._span("candidates")
        tonight = self.night.store.feedback(self.night.run_date)
        waited = [path for path in self.parts if path.name == WAITING and path.parent.name < tonight.name]
        for path in waited[-1:]:
            self._add(path, f"timestamp BETWEEN {first} AND {last}")
        if (own := tonight / SHOWN) in self.parts:
            self.db.execute("CREATE TEMP TABLE given AS SELECT DISTINCT export_id FROM candidates")
            again = f"timestamp BETWEEN {first} AND {last} AND export_id IN (SELECT export_id FROM given)"
            self._add(own, "true", f"NOT ({again})")

    def leave_out_logged(self, since: int, until: int) -> None:
        """Make the table `fresh`: the candidates between two instants that no other night has logged.

        What is older than what is kept was logged by nights that are gone.
        """
        between = f"timestamp >= {since} AND timestamp < {until}"
        self.db.execute(f"CREATE TEMP TABLE fresh AS SELECT * FROM candidates WHERE {between}")
        first, last = self._span("fresh")
        own = self.night.store.feedback(self.night.run_date)
        logs = [path for path in self.parts if path.name == SHOWN and path.parent != own]
        others = [self._rows(path, f"timestamp BETWEEN {first} AND {last}") for path in logs]
        if not others:
            return
        logged = " UNION ALL ".join(others)
        sums = f"SELECT timestamp // {HOUR} AS hour, sum(hash({', '.join(KEY)})) AS sum, count(*) AS n FROM"
        self.db.execute(
            f"CREATE TEMP TABLE hours AS SELECT hour, here.sum = there.sum AND here.n = there.n AS same "
            f"FROM ({sums} fresh GROUP BY hour) AS here JOIN ({sums} ({logged}) GROUP BY hour) AS there USING (hour)"
        )
        self.db.execute(
            f"CREATE TEMP TABLE logged AS SELECT {', '.join(KEY)} FROM ({logged}) "
            f"WHERE timestamp // {HOUR} IN (SELECT hour FROM hours WHERE NOT same)"
        )
        self.db.execute(f"DELETE FROM fresh WHERE timestamp // {HOUR} IN (SELECT hour FROM hours WHERE same)")
        if self.one("SELECT count(*) FROM logged"):
            self.db.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {_without('fresh', 'logged')}")

    def reward_of(self, settings: FeedbackSettings) -> str:
        """What the rewards of tonight are: as the settings say, or the best that is logged."""
        if settings.reward != "auto":
            return settings.reward
        clicked, worth = self.db.execute("SELECT count(clicked), count(outcome) FROM candidates").fetchall()[0]
        return "clicked" if clicked else "outcome" if worth else "interaction"

    def rewarded(self, reward: str, settings: FeedbackSettings) -> str:
        """SQL: the reward of a row of `fresh`, NULL where it is not known.

        Where every click that is known is one, the site marks clicks alone, and all else was not clicked.
        """
        if reward == "clicked" and not self.one("SELECT count(*) FROM candidates WHERE NOT clicked"):
            return "coalesce(clicked, false)"
        if reward != "interaction":
            return reward
        window = round(settings.outcome_hours * HOUR)
        first, last = self._span("fresh")
        user, item = (f"TRY_CAST({name} AS {kind}) AS {name}" for name, kind in self.types.items())
        self.db.execute(
            f"CREATE TEMP TABLE done AS SELECT {user}, {item}, epoch_us(timestamp) AS done_at "
            f"FROM {read_parts(self.night.valid, 'interactions')} "
            f"WHERE epoch_us(timestamp) BETWEEN {first} AND {last + window}"
        )
        return (
            "rowid IN (SELECT fresh.rowid FROM fresh JOIN done USING (user_id, item_id) "
            f"WHERE done_at - timestamp BETWEEN 0 AND {window})"
        )

    def write(self, rows: str, out: Path, reward: str) -> None:
        """Write rows by user and time."""
        self.db.execute(
            f"COPY (SELECT * FROM ({rows}) ORDER BY user_id, timestamp, rank, item_id, export_id) TO {literal(out)} "
            f"(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {ROWS_A_GROUP}, "
            f"KV_METADATA {{{REWARD.decode()}: {literal(reward)}}})"
        )

    def one(self, query: str) -> int:
        """A single number."""
        ((found,),) = self.db.execute(query).fetchall()
        return int(found)

    def _add(self, path: Path, near: str, which: str = "true") -> None:
        """Add the rows of a file that are no candidates yet; only candidates `near` can be the same."""
        known = f"user_id IN (SELECT user_id FROM {read_parquet(self.night.prepared / layout.USERS)})"  # none opted out
        self.db.execute(
            f"CREATE OR REPLACE TEMP TABLE more AS SELECT * FROM ({self._rows(path, which, FACTS)}) WHERE {known}"
        )
        self.db.execute(f"INSERT INTO candidates {_without('more', f'(SELECT * FROM candidates WHERE {near})')}")

    def _rows(self, path: Path, which: str, columns: Sequence[str] = KEY[2:]) -> str:
        """SQL: rows of a file of the log, with ids of the types that tonight has."""
        ids = [f"TRY_CAST({name} AS {kind}) AS {name}" for name, kind in self.types.items()]
        return f"SELECT {', '.join([*ids, *map(quoted, columns)])} FROM {read_parquet(path)} WHERE {which}"

    def _span(self, table: str) -> tuple[int, int]:
        """The times of the first and of the last row of a table; an empty span where it has none."""
        first, last = self.db.execute(f"SELECT min(timestamp), max(timestamp) FROM {table}").fetchall()[0]
        return (0, -1) if first is None else (first, last)


def _without(table: str, others: str) -> str:
    """SQL: the rows of a table that are not among others, by what an exposure is."""
    return f"SELECT {table}.* FROM {table} ANTI JOIN {others} AS others USING ({', '.join(KEY)})"


def _parts(night: Night) -> list[Path]:
    """The files of the log of all nights, oldest first."""
    found = [folder / name for folder in night.store.feedbacks().values() for name in (SHOWN, WAITING)]
    return [path for path in found if path.exists() and not is_damaged(path)]


def _is_readable(db: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether all of a file can be read."""
    try:
        db.execute(f"SELECT max(hash({', '.join(map(quoted, [*KEY[:2], *FACTS]))})) FROM {read_parquet(path)}")
    except duckdb.Error:
        return False
    return True


def _micros(instant: datetime) -> int:
    return int(instant.timestamp() * SECOND)
