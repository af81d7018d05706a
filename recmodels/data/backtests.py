"""Rolling backtest folds within the training split: what a night would have known some weeks ago, and what followed.

All of them end before the holdout begins.
"""

from collections.abc import Iterator

import numpy as np

from recmodels.data.arrays import Longs
from recmodels.data.dataset import Dataset
from recmodels.data.folds import Fold, fold
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import NightrecError

MAX_USERS = 20_000
"""How many users a backtest fold evaluates at most, drawn at random."""


def backtest_folds(data: Dataset, n_folds: int, days: float, seed: int) -> list[Fold]:
    """The last `n_folds` folds of `days` each within `data`, the newest first, of users who have a history in them.

    Raises:
        NightrecError: No fold evaluates anybody.
    """
    found = [one for _, one in rolling_folds(data, n_folds, days, seed, cold_start=False)]
    if not found:
        raise NightrecError(
            f"There is nobody to evaluate in the last {n_folds} folds of {days:g} days before the holdout: give fewer "
            "or shorter ones, or more data."
        )
    return found


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
        end = data.end - round(number * days * MICROSECONDS_PER_DAY)
        start = end - round(days * MICROSECONDS_PER_DAY)
        before, within = first < start, (first >= start) & (first < end)
        times = np.where(data.timestamp < start, data.timestamp, first)
        one = fold(data, before, within, start, MAX_USERS, (seed, number), cold_start=cold_start, timestamp=times)
        if len(one.train) and len(one.users):
            yield number, one
