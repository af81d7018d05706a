"""What a replay has kept as arrays: figures by night and model, and those of users who are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.metrics.beyond_accuracy import Figures
from tasks.replay.kept import LISTS, USERS, Kept
from tasks.replay.measures import MEASURES, OF_USERS

CHURN = next(n for n, one in enumerate(MEASURES) if one.name == "churn")


@dataclass(frozen=True, eq=False)
class Panel:
    """Figures over nights; NaN where there is none.

    Attributes:
        dates: of the nights [n_nights].
        models: their names [n_models].
        nights: the figures of lists of all users, [n_nights, n_models, n_measures].
        user: of a row a user and night, whose it is, from 0 [n_rows].
        at: likewise, the place of the night [n_rows].
        values: likewise, the figures that users have, [n_rows, n_models, n_of_users].
    """

    dates: Sequence[date]
    models: Sequence[str]
    nights: Figures
    user: Ints
    at: Ints
    values: Figures

    @property
    def days(self) -> Figures:
        """When the nights were, in days."""
        return np.array([one.toordinal() for one in self.dates], np.float64)


def panel_of(kept: Sequence[Kept], models: Sequence[str]) -> Panel:
    """The figures of some models, with how much of each list is new since the night before."""
    mine = [one for one in kept if one.model in models]
    dates = sorted({one.run_date for one in mine})
    at = [dates.index(one.run_date) for one in mine]
    tables = [pq.read_table(one.folder / USERS) for one in mine]
    known, codes = shared_codes([table["user_id"] for table in tables])
    rows = _Rows.of(at, codes)
    nights = np.full((len(dates), len(models), len(MEASURES)), np.nan)
    values = np.full((len(rows.user), len(models), len(OF_USERS)), np.nan)
    for night, one, table, code in zip(at, mine, tables, codes, strict=True):
        model = models.index(one.model)
        of_night = [one.summary["figures"].get(measure.name) for measure in MEASURES]
        nights[night, model] = [np.nan if value is None else value for value in of_night]
        place = rows.places(night, code)
        for column, name in enumerate(OF_USERS):
            values[place, model, column] = table[name].to_numpy()
    for model, name in enumerate(models):
        of_model = [(night, one) for night, one in zip(at, mine, strict=True) if one.model == name]
        for (_, earlier), (night, later) in pairwise(of_model):
            users, shares = churn_between(*(pq.read_table(one.folder / LISTS) for one in (earlier, later)))
            values[rows.places(night, _places(users, known)), model, OF_USERS.index("churn")] = shares
            nights[night, model, CHURN] = shares.mean() if len(shares) else np.nan
    return Panel(dates, models, nights, rows.user, rows.at, values)


@dataclass(frozen=True, eq=False)
class _Rows:
    """A row for each user and night, by night and then user."""

    user: Ints
    at: Ints
    key: np.ndarray[tuple[int], np.dtype[np.int64]]
    n_users: int

    @classmethod
    def of(cls, at: Sequence[int], codes: Sequence[Ints]) -> _Rows:
        n_users = max((int(code.max(initial=-1)) for code in codes), default=-1) + 1
        keys = [np.int64(night) * n_users + code for night, code in zip(at, codes, strict=True)]
        key = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
        night, user = np.divmod(key, max(n_users, 1))
        return cls(user.astype(np.int32), night.astype(np.int32), key, n_users)

    def places(self, night: int, code: Ints) -> Ints:
        return np.searchsorted(self.key, np.int64(night) * self.n_users + code).astype(np.int32)


def churn_between(before: pa.Table, now: pa.Table) -> tuple[pa.Array, Figures]:
    """The users who have a list in both, and the share of the later one that the earlier one did not have."""
    users, (was, user) = shared_codes([before["user_id"], now["user_id"]])
    items, (had, item) = shared_codes([before["item_id"], now["item_id"]])
    new = ~np.isin(user.astype(np.int64) * len(items) + item, was.astype(np.int64) * len(items) + had)
    length = np.bincount(user, minlength=len(users))
    both = np.flatnonzero((length > 0) & (np.bincount(was, minlength=len(users)) > 0))
    shares = np.bincount(user, new, len(users))[both] / length[both]
    return users.take(pa.array(both)), shares


def shared_codes(columns: Sequence[pa.ChunkedArray]) -> tuple[pa.Array, list[Ints]]:
    """The different ids of some columns as texts, and the number of each value among them."""
    texts = [column.cast(pa.string()).combine_chunks() for column in columns]
    known = pc.unique(pa.chunked_array(texts, pa.string()))
    return known, [_places(text, known) for text in texts]


def _places(texts: pa.Array, known: pa.Array) -> Ints:
    places: Ints = pc.index_in(texts, value_set=known).to_numpy().astype(np.int32)
    return places
