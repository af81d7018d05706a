"""Rolling windows within what is learnt from: what a night would have seen some weeks ago, and what came after it.

None of them looks at the holdout: all end before it begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recmodels.dataset import Dataset, Ints
from recmodels.errors import NightrecError

Times: TypeAlias = NDArray[np.int64]
DAY = 86_400_000_000  # µs
USERS = 20_000  # that a window measures at most, drawn at random


@dataclass(frozen=True, eq=False)
class Fold:
    """What a model learns from, and whom it is measured on."""

    window: int  # 0 ends where the data end, 1 one length earlier, ...
    train: Dataset
    users: Ints  # [n], ascending
    truth: sp.csr_array  # [n, n_items]


def folds(data: Dataset, windows: int, days: float, seed: int) -> list[Fold]:
    """The last windows of `days` each within `data`, the newest first, of users who have a history in them.

    Raises NightrecError where none measures anybody.
    """
    found = list(rolled(data, windows, days, seed, strangers=False))
    if not found:
        raise NightrecError(
            f"There is nobody to measure in the last {windows} windows of {days:g} days before the holdout: give fewer "
            "or shorter ones, or more data."
        )
    return found


def rolled(
    data: Dataset, windows: int, days: float, seed: int, strangers: bool, first: Times | None = None
) -> Iterator[Fold]:
    """These windows one at a time, of `strangers` without a history too; those that measure nobody are left out.

    `first` [n] are the times at which each pair of `data` began: an item is new to a user once. Without them a pair
    counts at its last time.
    """
    first = data.timestamp if first is None else first
    for window in range(windows):
        end = data.end - round(window * days * DAY)
        start = end - round(days * DAY)
        before, within = first < start, (first >= start) & (first < end)
        if not strangers:  # all candidates give them the same lists
            within &= (np.bincount(data.user_index[before], minlength=data.n_users) > 0)[data.user_index]
        users = np.unique(data.user_index[within])
        if not before.any() or not len(users):
            continue
        users = np.sort(np.random.default_rng((seed, window)).permutation(users)[:USERS])
        within &= np.isin(data.user_index, users)
        row = np.searchsorted(users, data.user_index[within])
        truth = sp.csr_array(
            (np.ones(len(row), np.bool_), (row, data.item_index[within])), shape=(len(users), data.n_items)
        )
        train = Dataset.from_arrays(
            data.user_index[before],
            data.item_index[before],
            timestamp=np.where(data.timestamp < start, data.timestamp, first)[before],
            weight=data.weight[before],
            rating=None if data.rating is None else data.rating[before],
            terms=data.terms,
            n_users=data.n_users,
            n_items=data.n_items,
            end=start,
        )
        yield Fold(window, train, users, truth)
