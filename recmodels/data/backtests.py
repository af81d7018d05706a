"""Rolling backtest folds within the training split: what a night would have known some weeks ago, and what followed.

All of them end before the holdout begins.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recmodels.data.arrays import Bools, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.folds import Fold, fold
from recmodels.data.layout import FIRST, PREPARED, Split
from recmodels.data.pairs import Pairs
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import NightrecError

MAX_USERS = 20_000
"""How many users a backtest fold evaluates at most, drawn at random."""


def backtest_folds(data: Dataset, n_folds: int, days: float, seed: int, first: Longs | None = None) -> list[Fold]:
    """The last `n_folds` folds of `days` each within `data`, the newest first, of users who have a history in them.

    `first`: see `rolling_folds`.

    Raises:
        NightrecError: No fold evaluates anybody.
    """
    found = [one for _, one in rolling_folds(data, n_folds, days, seed, cold_start=False, first=first)]
    if not found:
        raise nobody(n_folds, days)
    return found


def nobody(n_folds: int, days: float) -> NightrecError:
    """The error where no fold evaluates anybody."""
    return NightrecError(
        f"There is nobody to evaluate in the last {n_folds} folds of {days:g} days before the holdout: give fewer "
        "or shorter ones, or more data."
    )


def first_times(features: Path, split: Split, data: Dataset) -> Longs | None:
    """When each pair of the training data began: int64 [n]; None where no pair was repeated.

    Args:
        features: the features folder.
        split: which one.
        data: what was read of it, perhaps without some users.
    """
    pairs = Pairs(features / PREPARED, split)
    if FIRST not in pairs.names:
        return None
    table = pairs.columns(["user_index", "weight", FIRST])
    trained = np.bincount(data.user_index, minlength=data.n_users) > 0
    rows = (table["weight"] > 0) & trained[table["user_index"]]
    times: Longs = table[FIRST][rows]
    return times


def rolling_folds(
    data: Dataset, n_folds: int, days: float, seed: int, cold_start: bool, first: Longs | None = None
) -> Iterator[tuple[int, Fold]]:
    """Backtest folds one at a time, each with its number; those that evaluate nobody are left out.

    Args:
        data: The training split, n rows.
        n_folds: How many folds there are; 0 ends where the data end, 1 one length earlier, and so on.
        days: The length of a fold.
        seed: What the draw of users follows from.
        cold_start: Whether users without a history are evaluated too.
        first: int64 [n], when each pair began: an item is new to a user once. Without it, a pair counts at its last
            time.
    """
    first = data.timestamp if first is None else first
    for number in range(n_folds):
        start, before, within, times = cut(data.timestamp, first, data.end, number, days)
        one = fold(data, before, within, start, MAX_USERS, (seed, number), cold_start=cold_start, timestamp=times)
        if len(one.train) and len(one.users):
            yield number, one


class Cut(NamedTuple):
    """Rows divided for a backtest fold.

    Attributes:
        start: of what is evaluated, microseconds since 1970 (UTC).
        before, within: which rows are trained on, and which are evaluated: bool [n].
        times: what is known of them at the start: int64 [n].
    """

    start: int
    before: Bools
    within: Bools
    times: Longs


def cut(timestamp: Longs, first: Longs, end: int, number: int, days: float) -> Cut:
    """Divide rows for a fold of so many days, `number` of them before the end of all data."""
    until = end - round(number * days * MICROSECONDS_PER_DAY)
    start = until - round(days * MICROSECONDS_PER_DAY)
    times = np.where(timestamp < start, timestamp, first)
    return Cut(start, first < start, (first >= start) & (first < until), times)
