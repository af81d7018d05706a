"""The long term of a site's arms, as a person asks for it or a night says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Longs
from recmodels.errors import ConfigError
from recmodels.experiments.assignment import arms_of
from recmodels.experiments.surrogates import by_lot
from recmodels.messages import short
from tasks.arms.settings import ArmsSettings
from tasks.arms.since import beginnings, nights_of_main
from tasks.features.settings import FeatureSettings
from tasks.longterm.daily import Daily
from tasks.longterm.foretelling import day_of, foretold
from tasks.longterm.outcome import Outcome
from tasks.longterm.question import Question
from tasks.longterm.results import LongTerm
from tasks.longterm.signals import WINDOW, signals_of
from tasks.store.duckdb import connect
from tasks.store.feedback import SHOWN, learned_before
from tasks.store.files import TEMPORARY
from tasks.store.manifests import finished
from tasks.store.parts import parts
from tasks.store.paths import Night, Store

MEMORY = "2GB"  # of DuckDB, which spills beyond it
MOST_USERS = 100_000  # of main, and of each arm, by lot


def newest(store: Store) -> Night:
    """The newest night whose tables are there.

    Raises:
        ConfigError: there is none.
    """
    for night in reversed(store.all_nights()):
        if finished(night.prepared) and parts(night.valid, "interactions"):
            return night
    raise ConfigError(f"No night of the store {store.root} has its tables any more: run one with `nightrec run`.")


def long_term(
    night: Night,
    settings: ArmsSettings,
    features: FeatureSettings,
    keep_days: int,
    outcome: Outcome,
    *,
    window: int = WINDOW,
    signals: Sequence[str] | None = None,
    arms: Sequence[str] | None = None,
) -> LongTerm:
    """What early signals foretell at a site, and of its arms.

    Args:
        night: a night; what was known at its end counts.
        settings: the arms.
        features: which column of the items has their categories.
        keep_days: for how many days is kept what was shown.
        outcome: what is to be foretold.
        window: the days of the early signals.
        signals: their names; all that the site has, if not given.
        arms: the names of the arms to be told of; all, if not given.

    Raises:
        ConfigError: a name that does not exist, a night whose tables are gone, or too little history.
    """
    wanted = list(dict.fromkeys(arms)) if arms else list(settings.groups)
    if unknown := [name for name in wanted if name not in settings.groups]:
        known = f"there are {short(', '.join(settings.groups))}" if settings.groups else "the settings have no arms"
        raise ConfigError(f"--arm {short(unknown[0])} is unknown: {known}.")
    prepared = finished(night.prepared)
    if prepared is None or not parts(night.valid, "interactions"):
        raise ConfigError(f"The data of the night {night.run_date} are not in the store any more: take a later night.")
    cutoff = datetime.fromisoformat(prepared["parameters"]["cutoff"])
    begins = beginnings(night.store, settings, cutoff)
    of_main = {name: nights_of_main(night.store, name, begin, cutoff)[0] for name, begin in begins.items() if begin}
    ids = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].to_pylist()
    in_arm = arms_of(ids, settings.shares, settings.salt)
    users = _some_of_each(in_arm)
    shown = list(learned_before(night.store, night.run_date + timedelta(days=1), SHOWN, keep_days + 1).values())
    with TemporaryDirectory(prefix=TEMPORARY, dir=night.folder) as scratch, connect(Path(scratch), MEMORY) as db:
        daily = Daily(db, night, cutoff, features, users, shown)
        question = Question(outcome, window, signals_of(daily, signals))
        notes: list[str] = []
        if signals is None:
            question, notes = question.with_room(daily, [day_of(begin, cutoff) for begin in begins.values() if begin])
        found = foretold(daily, question, settings, in_arm[users], begins, wanted, of_main, cutoff, str(night.run_date))
    return found.model_copy(update={"notes": notes})


def _some_of_each(in_arm: np.ndarray) -> Longs:
    """As many users of each arm as there is room for, by lot: their indices, ascending."""
    lots = by_lot(np.arange(len(in_arm)), 2).astype(np.int64)
    chosen = [_lowest(np.flatnonzero(in_arm == name), lots) for name in np.unique(in_arm)]
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))


def _lowest(users: Longs, lots: Longs) -> Longs:
    return users if len(users) <= MOST_USERS else users[np.argsort(lots[users], kind="stable")[:MOST_USERS]]
