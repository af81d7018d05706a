"""How probable each proposer is in each segment of the users, by what came of the proposals of the last weeks.

A place that was shown counts for each model that had proposed its item, as far as it was the one that was drawn: by
epsilon · share / propensity, so that no model gains by proposing what is shown anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data import layout
from recmodels.data.arrays import Ints
from recmodels.errors import ConfigError
from recmodels.exploration.bandit import LinearBandit
from tasks.exploration.proposals import about
from tasks.exploration.settings import ExplorationSettings
from tasks.exposures.log import is_assumed, reward_in
from tasks.store.duckdb import connect, literal, read_parquet
from tasks.store.events import log_event
from tasks.store.exports import of_the_same_lists
from tasks.store.feedback import PROPOSALS, SHOWN, learned_before
from tasks.store.paths import Night

DAYS = 28
MOST = 50  # segments; the users of all others are one
OTHERS = "others"
MEMORY = "2GB"  # of DuckDB, which spills beyond it
PULLS = {"segment": np.int64, "model": np.str_, "n": np.float64, "reward": np.float64, "square": np.float64}
NOISE = 0.5  # of a reward, as long as none is known


@dataclass(frozen=True, eq=False)
class Shares:
    """How probable each proposer is where a place is drawn.

    Attributes:
        segments: their names.
        of_users: the segment of each user [n_users].
        by_proposer: the probabilities in each segment [n_segments], by proposer.
    """

    segments: list[str]
    of_users: Ints
    by_proposer: dict[str, NDArray[np.float64]]

    def of(self, users: Ints, proposers: Sequence[str]) -> NDArray[np.float64]:
        """Those of some users: [n, n_proposers]."""
        shares = np.stack([self.by_proposer[name] for name in proposers], axis=1)
        found: NDArray[np.float64] = shares[self.of_users[users]]
        return found

    def json_ready(self) -> dict[str, dict[str, float]]:
        """By segment, then by proposer."""
        return {
            segment: {name: round(float(shares[n]), 4) for name, shares in self.by_proposer.items()}
            for n, segment in enumerate(self.segments)
        }


def check_segment(night: Night, settings: ExplorationSettings) -> None:
    """Raise ConfigError where the users have no such column of single values as the settings name."""
    if settings.epsilon and settings.segment is not None:
        names = pq.read_schema(night.prepared / layout.USERS).names
        own = [name for name in names if not name.endswith("_index")]
        if settings.segment not in own:
            there = ", ".join(own[:10])
            raise ConfigError(f"exploration.segment: the users have no column {settings.segment!r}; there are {there}.")
        if pa.types.is_nested(pq.read_schema(night.prepared / layout.USERS).field(settings.segment).type):
            raise ConfigError(
                f"exploration.segment: {settings.segment!r} has lists; name a column with one value each."
            )


def learned_shares(night: Night, settings: ExplorationSettings, seed: int, proposers: Sequence[str]) -> Shares | None:
    """The probabilities of a night's proposers; None where they are alike by the settings."""
    if settings.choose == "uniform":
        return None
    users = pq.read_table(night.prepared / layout.USERS)
    segments, of_users = _segments(users, settings.segment)
    try:
        found = _pulls(night, users["user_id"], of_users)
    except (OSError, KeyError, ValueError, pa.ArrowException, duckdb.Error) as error:  # damaged, or none of ours
        why = str(error).partition("\n")[0][:200]
        log_event("exploration", "note", f"What was learned cannot be read, and all proposals are alike: {why}")
        found = _nothing()
    known = [name in proposers for name in found["model"]]
    found = {name: column[np.array(known, np.bool_)] for name, column in found.items()}
    weights, rewards = found["n"], found["reward"] / np.maximum(found["n"], 1e-12)
    bandit = LinearBandit(len(proposers), len(segments), settings.choose, noise=_noise(found))
    arms = np.array([list(proposers).index(name) for name in found["model"]], np.int64)
    contexts = np.eye(len(segments))
    bandit.learn(contexts[found["segment"]], arms, rewards, weights)
    shares = bandit.probabilities(contexts, seed + night.run_date.toordinal())
    return Shares(segments, of_users, {name: shares[:, arm] for arm, name in enumerate(proposers)})


def _segments(users: pa.Table, column: str | None) -> tuple[list[str], Ints]:
    """The segments, and each user's: int32 [n_users]."""
    if column is None:
        return ["all"], np.zeros(len(users), np.int32)
    values = pc.fill_null(pc.cast(users[column], pa.string()), "").combine_chunks()
    counts = sorted(pc.value_counts(values).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    names = [one["values"] for one in counts]
    kept = names if len(names) <= MOST else [*names[: MOST - 1], OTHERS]
    of_users = pc.fill_null(pc.index_in(values, value_set=pa.array(kept)), len(kept) - 1)
    return kept, of_users.to_numpy().astype(np.int32)


def _noise(found: dict[str, NDArray[Any]]) -> float:
    """The standard deviation of a reward."""
    n = found["n"].sum()
    if n <= 0:
        return NOISE
    mean = found["reward"].sum() / n
    return float(np.sqrt(max(found["square"].sum() / n - mean**2, 0))) or NOISE


def _pulls(night: Night, user_ids: pa.ChunkedArray, of_users: Ints) -> dict[str, NDArray[Any]]:
    """What came of proposals: by segment and model how many were shown (`n`), and the sums of reward and its square."""
    proposed = learned_before(night.store, night.run_date, PROPOSALS, DAYS)
    if not proposed or not logs(night, DAYS):
        return _nothing()
    with connect(night.folder, MEMORY) as db:
        return _pulls_in(db, night, proposed, user_ids, of_users)


def _pulls_in(
    db: duckdb.DuckDBPyConnection,
    night: Night,
    proposed: Mapping[date, Path],
    user_ids: pa.ChunkedArray,
    of_users: Ints,
) -> dict[str, NDArray[Any]]:
    """The same with a database to work in, where something was proposed and something was shown."""
    kind = "BIGINT" if pa.types.is_integer(user_ids.type) else "VARCHAR"
    user, item = f"TRY_CAST(user_id AS {kind}) AS user_id", "CAST(item_id AS VARCHAR) AS item_id"
    said = {path: about(path) for path in proposed.values()}
    exports = {path: of_the_same_lists(night.store, one["export_id"]) for path, one in said.items()}
    proposals = " UNION ALL ".join(
        f"SELECT {user}, {item}, CAST(model AS VARCHAR) AS model, slot, share, "
        f"{number} AS lists, {one['epsilon']!r} AS epsilon FROM {read_parquet(path)}"
        for number, (path, one) in enumerate(said.items())
    )
    of = ", ".join(f"({literal(name)}, {number})" for number, names in enumerate(exports.values()) for name in names)
    slots = " UNION ".join(f"SELECT DISTINCT slot FROM {read_parquet(path)}" for path in said)
    seen = " UNION ALL ".join(
        f"SELECT {user}, {item}, lists, rank, propensity, reward FROM {read_parquet(path)} "
        f"JOIN (VALUES {of}) AS of_exports(name, lists) ON CAST(export_id AS VARCHAR) = name "
        "WHERE reward IS NOT NULL AND propensity > 0 AND rank IN (SELECT slot FROM slots)"
        for path in _logs(db, night)
    )
    db.register("segments", pa.table({"user_id": user_ids, "segment": of_users}))
    db.execute(f"CREATE TEMP TABLE slots AS {slots}")
    once = (
        "SELECT user_id, item_id, lists, rank AS slot, any_value(propensity) AS propensity, "
        f"avg(reward) AS reward FROM ({seen}) GROUP BY user_id, item_id, lists, rank"
    )
    weighed = (
        "SELECT segment, model, least(1, epsilon * share / propensity) AS weight, reward "
        f"FROM ({once}) JOIN ({proposals}) USING (user_id, item_id, lists, slot) JOIN segments USING (user_id)"
    )
    found = db.execute(
        "SELECT segment, model, sum(weight) AS n, sum(weight * reward) AS reward, "
        f"sum(weight * reward * reward) AS square FROM ({weighed}) GROUP BY segment, model ORDER BY segment, model"
    ).fetchnumpy()
    return {name: np.asarray(found[name]) for name in PULLS}


def _nothing() -> dict[str, NDArray[Any]]:
    return {name: np.zeros(0, kind) for name, kind in PULLS.items()}


def _logs(db: duckdb.DuckDBPyConnection, night: Night) -> list[Path]:
    """The logs of what was shown in the last weeks, tonight's included; those that measure something else are not.

    Nor are assumed ones where there are others.
    """
    found = logs(night, DAYS)
    kinds = {path: (is_assumed(db, path), reward_in(path)) for path in found}
    newest = next((kind for kind in reversed(kinds.values()) if not kind[0]), next(reversed(kinds.values()), None))
    return [path for path in found if kinds[path] == newest]


def logs(night: Night, days: int) -> list[Path]:
    """The logs of what was shown that the nights of some days have written, tonight's included, oldest first.

    Those of nights on which nothing was logged say nothing, nor what rewards are.
    """
    tomorrow: date = night.run_date + timedelta(days=1)
    written = learned_before(night.store, tomorrow, SHOWN, days).values()
    return [path for path in written if pq.read_metadata(path).num_rows]
