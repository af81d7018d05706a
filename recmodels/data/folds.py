"""Parts of a window that are not learnt from, but judge or teach what was: the last days, or each user's last items."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.dataset import Bools, Csr, Dataset, Ints

DAY = 86_400_000_000  # microseconds
WIDTHS = (7, 14, 28, 56, 112)  # days, tried in turn
SHARE = 0.2  # of a user's interactions, where there are no days that measure enough users
Times: TypeAlias = NDArray[np.int64]
Truth = sparse.csr_array


@dataclass(frozen=True, eq=False)
class Fold:
    """What a model learns from, and whom it is measured on."""

    train: Dataset
    users: Ints  # [n], ascending
    truth: "Truth[Any, tuple[int, int]]"  # bool [n, n_items], what they went on to do


def fold(
    data: Dataset,
    learnt: Bools,
    held: Bools,
    end: int,
    most: int,
    seed: int | tuple[int, ...] = 0,
    cold_start: bool = False,
    timestamp: Times | None = None,
) -> Fold:
    """The fold in which the rows `learnt` are known, until `end`, and the rows `held` are what follows.

    At most `most` users are measured, drawn at random, and only with `strangers` those who have no history. What users
    have seen without interest has no date here and counts as seen before. `timestamp` [n] are other times of the rows.
    """
    if not cold_start:  # all candidates give them the same lists
        held = held & (np.bincount(data.user_index[learnt], minlength=data.n_users) > 0)[data.user_index]
    users = np.unique(data.user_index[held])
    users = np.sort(np.random.default_rng(seed).permutation(users)[:most])
    held = held & np.isin(data.user_index, users)
    row = np.searchsorted(users, data.user_index[held])
    shape = (len(users), data.n_items)
    truth = sparse.csr_array((np.ones(len(row), np.bool_), (row, data.item_index[held])), shape=shape)
    train = Dataset.from_arrays(
        data.user_index[learnt],
        data.item_index[learnt],
        timestamp=(data.timestamp if timestamp is None else timestamp)[learnt],
        weight=data.weight[learnt],
        rating=None if data.rating is None else data.rating[learnt],
        terms=data.terms,
        user_terms=data.user_terms,
        n_users=data.n_users,
        n_items=data.n_items,
        end=end,
    )
    if data.seen.nnz > len(data):
        train = replace(train, seen=_without(data, ~learnt))
    return Fold(train, users, truth)


def last_days(data: Dataset, days: float, most: int, seed: int | tuple[int, ...] = 0) -> Fold:
    """The last days are held out."""
    start = data.end - round(days * DAY)
    before = data.timestamp < start
    return fold(data, before, ~before, start, most, seed)


def last_items(data: Dataset, share: float, most: int, seed: int | tuple[int, ...] = 0) -> Fold:
    """The last of each user's interactions are held out, a share that is rounded up; never the only one."""
    count = np.diff(data.indptr)
    place = np.arange(len(data)) - np.repeat(data.indptr[:-1], count)
    held = place >= np.repeat(np.maximum(count - np.ceil(share * count), 1), count)
    return fold(data, ~held, held, data.end, most, seed)


def latest(data: Dataset, enough: int, most: int, seed: int | tuple[int, ...] = 0) -> Fold:
    """The shortest of some last stretches of days that measures `enough` users, or else the one that measures most.

    A stretch leaves at least half of the interactions to learn from. Where no stretch measures a fifth of enough, each
    user's last items do.
    """
    found: Fold | None = None
    for days in WIDTHS:
        if 2 * np.count_nonzero(data.timestamp < data.end - days * DAY) < len(data):
            break
        longer = last_days(data, days, most, seed)
        if found is None or len(longer.users) > len(found.users):
            found = longer
        if len(found.users) >= enough:
            break
    if found is not None and 5 * len(found.users) >= enough:
        return found
    return last_items(data, SHARE, most, seed)


def _without(data: Dataset, rows: Bools) -> Csr:
    """What was seen, less some of the interactions that are learnt from."""
    users, items = data.user_index[rows].astype(np.int64), data.item_index[rows]
    row = np.repeat(np.arange(data.n_users, dtype=np.int64), np.diff(data.seen.indptr))
    kept = ~np.isin(row * data.n_items + data.seen.indices, users * data.n_items + items)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(row[kept], minlength=data.n_users))))
    return sparse.csr_array((data.seen.data[kept], data.seen.indices[kept], indptr), shape=data.seen.shape)
