"""What the policies that are compared would have shown in the places that were drawn, as the estimators need it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from recmodels.errors import ConfigError
from recmodels.offpolicy.log import Floats, Log
from recmodels.offpolicy.reward_model import cross_fitted
from tasks.offpolicy.drawn import NOTHING, Drawn
from tasks.store.duckdb import read_parquet

OWN = ("user_id", "item_id", "probability")
ROUNDING = 1e-6


@dataclass(frozen=True)
class Policy:
    """How likely a policy shows each option, float64 `[m]`, in the events `among`, bool `[n]`.

    `support`: the share of all that it shows there that could have been shown.
    """

    probabilities: Floats
    among: NDArray[np.bool_]
    support: float | None


class Expected:
    """The events with the expected reward of each option, fitted once for all policies."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.rewards = cross_fitted(drawn.rewards, drawn.features, drawn.events, drawn.shown, drawn.users)

    def log(self, policy: Policy, among: NDArray[np.bool_] | None = None) -> Log:
        """The log as the estimators need it, of the events that the policy chooses in, and that are `among` some."""
        drawn = self.drawn
        which = policy.among if among is None else policy.among & among
        expected = np.bincount(drawn.events, policy.probabilities * self.rewards, minlength=drawn.n).astype(np.float64)
        _, units = np.unique(drawn.users[which], return_inverse=True)
        shown = drawn.shown[which]
        return Log(
            rewards=drawn.rewards[which],
            weights=policy.probabilities[shown] / drawn.propensities[which],
            predicted_shown=self.rewards[shown],
            predicted_policy=expected[which],
            units=units.astype(np.int64),
            support=policy.support,
        )


def chosen(drawn: Drawn, choices: NDArray[np.int64]) -> Policy | None:
    """A policy that chooses one option, -1 where it is not known; None where it is nowhere."""
    among = choices != NOTHING
    if not among.any():
        return None
    probabilities = np.zeros(len(drawn.events))
    probabilities[choices[among]] = 1.0
    return Policy(probabilities, among, float((drawn.chances[choices[among]] > 0).mean()))


def logged(drawn: Drawn) -> Policy:
    """What was done: every option as likely as it was."""
    return Policy(drawn.chances, np.ones(drawn.n, np.bool_), 1.0)


def uniform(drawn: Drawn) -> Policy:
    """One of the models, each as likely, chooses."""
    votes = np.bincount(drawn.events, drawn.votes, minlength=drawn.n)
    probabilities = drawn.votes / votes[drawn.events]
    return Policy(probabilities, np.ones(drawn.n, np.bool_), float(probabilities[drawn.chances > 0].sum() / drawn.n))


def own(db: duckdb.DuckDBPyConnection, drawn: Drawn, path: Path) -> Policy:
    """A policy from a file: for each user items with probabilities; alike, where the file has none.

    Raises:
        ConfigError: the file cannot be read, lacks a column, or its probabilities are none; or it has no user whose
            place was drawn.
    """
    db.execute(f"CREATE TEMP TABLE own AS {_read(db, path)}")
    worst = db.execute(
        "SELECT count(*) FILTER (probability IS NULL OR NOT probability BETWEEN 0 AND 1), count(*) FROM own"
    ).fetchall()[0]
    if worst[0]:
        raise ConfigError(f"{path}: {worst[0]:,} of {worst[1]:,} rows have no probability between 0 and 1.")
    most = db.execute("SELECT max(total) FROM (SELECT sum(probability) AS total FROM own GROUP BY user_id)").fetchall()
    if most[0][0] is not None and most[0][0] > 1 + ROUNDING:
        raise ConfigError(f"{path}: the probabilities of a user add up to {most[0][0]:.4g}; at most 1 is possible.")
    rows = db.execute(
        "SELECT option, probability FROM options JOIN own ON CAST(options.user_id AS VARCHAR) = own.user_id "
        "AND CAST(options.item_id AS VARCHAR) = own.item_id"
    ).fetchnumpy()
    users = db.execute(
        "SELECT event FROM events WHERE CAST(user_id AS VARCHAR) IN (SELECT user_id FROM own)"
    ).fetchnumpy()["event"]
    among = np.zeros(drawn.n, np.bool_)
    among[np.asarray(users, np.int64)] = True
    if not among.any():
        raise ConfigError(f"{path}: it has none of the users whose place was drawn; are these the site's own ids?")
    probabilities = np.zeros(len(drawn.events))
    probabilities[np.asarray(rows["option"], np.int64)] = np.asarray(rows["probability"], np.float64)
    shown = np.bincount(drawn.events, probabilities * (drawn.chances > 0), minlength=drawn.n)
    return Policy(probabilities, among, float(shown[among].mean()))


def _read(db: duckdb.DuckDBPyConnection, path: Path) -> str:
    """SQL: the rows of a policy's file, ids as text."""
    if not path.is_file():
        raise ConfigError(f"There is no file {path}: --policy takes a Parquet file with user_id and item_id.")
    try:
        names = [name for name, *_ in db.execute(f"DESCRIBE SELECT * FROM {read_parquet(path)}").fetchall()]
    except duckdb.Error:
        raise ConfigError(
            f"{path} cannot be read as Parquet: --policy takes a file with user_id and item_id."
        ) from None
    if missing := [name for name in OWN[:2] if name not in names]:
        raise ConfigError(f"{path} has no column {missing[0]}: --policy takes user_id, item_id and maybe probability.")
    given = "TRY_CAST(probability AS DOUBLE)" if OWN[2] in names else "1.0 / count(*) OVER (PARTITION BY user_id)"
    ids = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in OWN[:2])
    rows = f"SELECT {ids}, {given} AS probability FROM {read_parquet(path)}"
    return f"SELECT user_id, item_id, sum(probability) AS probability FROM ({rows}) GROUP BY ALL"
