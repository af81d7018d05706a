"""How long it takes until a user has an item again, and how much of that time has passed."""

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Doubles, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.knn.baskets import summed


def due_shares(events: Events, end: int, shape: tuple[int, int]) -> Csr:
    """For each pair of user and item the share of its interval that has passed since the user had it last, at most 1.

    The interval is the mean time between the user's own events with the item where there are three or more; else the
    median of all times between two events of a user with the item; else, where nobody has had it twice, of all items.
    Where nobody has anything twice, everything is due.

    Args:
        events: by user, then time.
        end: until when time has passed, microseconds since 1970 (UTC).
        shape: (n_users, n_items).

    Returns:
        float32 sparse [n_users, n_items], above 0 for every pair that has events.
    """
    order = np.lexsort((events.timestamp, events.item, events.user))
    user, item, time = events.user[order], events.item[order], events.timestamp[order]
    last = np.ones(len(user), bool)  # of its pair
    last[:-1] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    between = ~last[:-1]
    gap = np.diff(time)[between].astype(np.float64)
    of_item = _medians(item[:-1][between].astype(np.int64), gap, shape[1])
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    gaps = ends - starts
    own = (time[ends] - time[starts]) / np.maximum(gaps, 1)
    interval = np.where(gaps >= 2, own, of_item[item[ends]])
    passed = (end - time[ends]).astype(np.float64)
    share = np.divide(passed, interval, out=np.ones(len(ends)), where=interval > 0)
    return summed(user[ends], item[ends], np.clip(share, 1e-6, 1), shape)


def resting_pairs(
    events: Events, end: int, excluded: tuple[Ints, Ints], shape: tuple[int, int], due_after: float
) -> Csr:
    """What users have had and is not due yet: less than the share `due_after` of its interval has passed.

    Where nobody has anything twice, nothing is due. What is excluded from training never is; what has no event is.

    Args:
        events: by user, then time.
        end: until when time has passed, microseconds since 1970 (UTC).
        excluded: users and items of the pairs that are excluded from training.
        shape: (n_users, n_items).
        due_after: above 0, at most 1; see `due_shares`.

    Returns:
        float32 ones, sparse [n_users, n_items].
    """
    shares = due_shares(events, end, shape).tocoo()
    early = (shares.data < np.float32(due_after)) | (shares.nnz == len(events.user))
    user, item = (np.concatenate([found[early], more]) for found, more in zip(shares.coords, excluded, strict=True))
    resting: Csr = sparse.csr_array((np.ones(len(user), np.float32), (user, item)), shape=shape)
    resting.sort_indices()
    return resting


def resting_of(data: Dataset, log: EventLog, due_after: float) -> Csr:
    """The same of data that a split or a fold has, by the events that it may know."""
    out = data.seen.tocoo()
    never = out.data == 0
    excluded = out.coords[0][never], out.coords[1][never]
    return resting_pairs(log.of(data), data.end, excluded, (data.n_users, data.n_items), due_after)


def _medians(item: Longs, gap: Doubles, n_items: int) -> Doubles:
    """The median gap of each item, that of all where it has none, 0 without any: [n_items]."""
    medians = np.full(n_items, np.median(gap) if len(gap) else 0.0)
    order = np.lexsort((gap, item))
    count = np.bincount(item, minlength=n_items)
    first = np.cumsum(count) - count
    some: Bools = count > 0
    low, high = first[some] + (count[some] - 1) // 2, first[some] + count[some] // 2
    ordered = gap[order]
    medians[some] = (ordered[low] + ordered[high]) / 2
    return medians


def weighed_by_due(own: Csr, shares: Csr, power: float) -> Csr:
    """Scores of pairs times the power of the shares of their intervals: float32, as sparse as `own`."""
    powers: Csr = shares.copy()
    powers.data **= np.float32(power)
    weighed: Csr = own.multiply(powers).tocsr().astype(np.float32)
    weighed.sort_indices()
    return weighed
