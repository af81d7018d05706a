"""Parts of the interactions held out of training: the last days, or each user's last items."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Ints, Longs, Truth
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY

HOLDOUT_DAYS = (7, 14, 28, 56, 112)
"""Lengths of a holdout, in days, tried in turn until one measures enough users."""

HOLDOUT_SHARE = 0.2
"""Of a user's interactions, where no number of days measures enough users."""


@dataclass(frozen=True, eq=False)
class Fold:
    """What a model is trained on, and the users it is evaluated on."""

    train: Dataset
    users: Ints  # [n], ascending
    truth: Truth  # bool [n, n_items], what they went on to interact with


def fold(
    data: Dataset,
    train: Bools,
    holdout: Bools,
    end: int,
    max_users: int,
    seed: int | tuple[int, ...] = 0,
    *,
    cold_start: bool = False,
    timestamp: Longs | None = None,
) -> Fold:
    """A fold of some rows for training and others to be predicted.

    Args:
        data: The interactions, n rows.
        train: bool [n], the rows that are trained on.
        holdout: bool [n], the rows that follow and are to be predicted.
        end: When training data end, microseconds since 1970 (UTC).
        max_users: How many users are evaluated at most, drawn at random.
        seed: What the draw follows from.
        cold_start: Whether users without a history are evaluated too.
        timestamp: int64 [n], other times of the rows than those of `data`.

    Returns:
        The fold. Pairs of `data` that are excluded from training have no date: they count as seen in all folds.
    """
    if not cold_start:  # all models give these users the same lists
        holdout = holdout & (np.bincount(data.user_index[train], minlength=data.n_users) > 0)[data.user_index]
    users = drawn(np.unique(data.user_index[holdout]), max_users, seed)
    holdout = holdout & np.isin(data.user_index, users)
    row = np.searchsorted(users, data.user_index[holdout])
    shape = (len(users), data.n_items)
    truth = sparse.csr_array((np.ones(len(row), np.bool_), (row, data.item_index[holdout])), shape=shape)
    known = Dataset.from_arrays(
        data.user_index[train],
        data.item_index[train],
        timestamp=(data.timestamp if timestamp is None else timestamp)[train],
        weight=data.weight[train],
        rating=None if data.rating is None else data.rating[train],
        terms=data.terms,
        user_terms=data.user_terms,
        item_vectors=data.item_vectors,
        n_users=data.n_users,
        n_items=data.n_items,
        end=end,
    )
    known = replace(known, domains=data.domains)
    if data.seen.nnz > len(data):
        known = replace(known, seen=_seen_without(data, ~train))
    return Fold(known, users, truth)


def drawn(users: Ints, most: int, seed: int | tuple[int, ...]) -> Ints:
    """At most so many of some users, at random, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(users)[:most])


def last_days(data: Dataset, days: float, max_users: int, seed: int | tuple[int, ...] = 0) -> Fold:
    """Hold out the last `days`."""
    start = data.end - round(days * MICROSECONDS_PER_DAY)
    before = data.timestamp < start
    return fold(data, before, ~before, start, max_users, seed)


def last_items(data: Dataset, share: float, max_users: int, seed: int | tuple[int, ...] = 0) -> Fold:
    """Hold out a share of each user's interactions, the last ones, rounded up; never their only one."""
    count = np.diff(data.indptr)
    place = np.arange(len(data)) - np.repeat(data.indptr[:-1], count)
    holdout = place >= np.repeat(np.maximum(count - np.ceil(share * count), 1), count)
    return fold(data, ~holdout, holdout, data.end, max_users, seed)


def latest(data: Dataset, min_users: int, max_users: int, seed: int | tuple[int, ...] = 0) -> Fold:
    """Hold out the fewest last days that measure `min_users` users, or else those that measure most.

    At least half of the interactions stay for training. Where no number of days measures a fifth of `min_users`, each
    user's last items are held out instead.
    """
    best: Fold | None = None
    for days in HOLDOUT_DAYS:
        if 2 * np.count_nonzero(data.timestamp < data.end - days * MICROSECONDS_PER_DAY) < len(data):
            break
        longer = last_days(data, days, max_users, seed)
        if best is None or len(longer.users) > len(best.users):
            best = longer
        if len(best.users) >= min_users:
            break
    if best is not None and 5 * len(best.users) >= min_users:
        return best
    return last_items(data, HOLDOUT_SHARE, max_users, seed)


def _seen_without(data: Dataset, rows: Bools) -> Csr:
    """The seen pairs [n_users, n_items] less those of some rows of the interactions."""
    users, items = data.user_index[rows].astype(np.int64), data.item_index[rows]
    row = np.repeat(np.arange(data.n_users, dtype=np.int64), np.diff(data.seen.indptr))
    kept = ~np.isin(row * data.n_items + data.seen.indices, users * data.n_items + items)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(row[kept], minlength=data.n_users))))
    return sparse.csr_array((data.seen.data[kept], data.seen.indices[kept], indptr), shape=data.seen.shape)
