"""Rolling windows within what is learnt from: what a night would have seen some weeks ago, and what came after it.

None of them looks at the holdout: all end before it begins.
"""

from collections.abc import Iterator

import numpy as np

from recmodels.data.dataset import Dataset
from recmodels.data.folds import DAY, Fold, Times, fold
from recmodels.errors import NightrecError

USERS = 20_000  # that a window measures at most, drawn at random


def folds(data: Dataset, windows: int, days: float, seed: int) -> list[Fold]:
    """The last windows of `days` each within `data`, the newest first, of users who have a history in them.

    Raises NightrecError where none measures anybody.
    """
    found = [one for _, one in rolled(data, windows, days, seed, cold_start=False)]
    if not found:
        raise NightrecError(
            f"There is nobody to measure in the last {windows} windows of {days:g} days before the holdout: give fewer "
            "or shorter ones, or more data."
        )
    return found


def rolled(
    data: Dataset, windows: int, days: float, seed: int, cold_start: bool, first: Times | None = None
) -> Iterator[tuple[int, Fold]]:
    """These windows one at a time with their numbers, of `strangers` without a history too.

    Window 0 ends where the data end, 1 one length earlier, and so on; those that measure nobody are left out. `first`
    [n] are the times at which each pair of `data` began: an item is new to a user once. Without them a pair counts at
    its last time.
    """
    first = data.timestamp if first is None else first
    for window in range(windows):
        end = data.end - round(window * days * DAY)
        start = end - round(days * DAY)
        before, within = first < start, (first >= start) & (first < end)
        times = np.where(data.timestamp < start, data.timestamp, first)
        one = fold(data, before, within, start, USERS, (seed, window), cold_start, times)
        if len(one.train) and len(one.users):
            yield window, one
