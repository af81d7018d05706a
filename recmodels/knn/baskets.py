"""Histories as sums of baskets: what a user had at a time, the latest counting most."""

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Doubles, Ints, Longs, empty_matrix
from recmodels.data.events import Events
from recmodels.data.times import MICROSECONDS_PER_DAY


def summed(user: Ints, item: Ints, weight: Doubles, shape: tuple[int, int]) -> Csr:
    """The sums of weights by user and item, items ascending in each row: float32 [n_users, n_items]."""
    if not len(user):
        return empty_matrix(*shape)
    sums = sparse.coo_array((weight, (user, item)), shape=shape).tocsr()  # sums what stands twice
    sums.sort_indices()
    found: Csr = sums.astype(np.float32)
    return found


def basket_numbers(events: Events, days: float) -> Longs:
    """The number of each event's basket among those of all users, ascending: [n].

    A basket is what one user had within the same span of so many days since 1970.
    """
    span = (events.timestamp // max(1, round(days * MICROSECONDS_PER_DAY))).astype(np.int64)
    begins = np.ones(len(span), np.int64)
    begins[1:] = (events.user[1:] != events.user[:-1]) | (span[1:] != span[:-1])
    return np.cumsum(begins) - 1


def temporal_profiles(
    events: Events, days: float, groups: int, basket_decay: float, group_decay: float, shape: tuple[int, int]
) -> Csr:
    """The vectors of users of TIFU-KNN: decayed within groups of baskets, and over the groups.

    The B baskets of a user are parted, from the last one backwards, into groups of ⌈B / groups⌉. A group is the mean
    of its baskets, the j-th before its last one times basket_decay^j; the vector is the mean of the groups, the j-th
    before the last one times group_decay^j. Each item of a basket counts once.

    Returns:
        float32 sparse [n_users, n_items].
    """
    basket = basket_numbers(events, days)
    entry = np.unique(basket * shape[1] + events.item)  # once a basket
    basket, item = entry // shape[1], (entry % shape[1]).astype(np.int32)
    first = np.flatnonzero(np.diff(basket_numbers(events, days), prepend=-1))
    owner = events.user[first]  # of each basket, ascending
    n = np.bincount(owner, minlength=shape[0])  # baskets of each user
    before_last = (np.cumsum(n)[owner] - 1) - np.arange(len(owner))
    size = -(-n // groups)[owner]  # of a group
    group, place = before_last // size, before_last % size
    in_group = np.minimum(size, n[owner] - group * size)  # the first group may have fewer
    n_groups = -(-n[owner] // size)
    weight = basket_decay**place / in_group * group_decay**group / n_groups
    return summed(owner[basket], item, weight[basket], shape)
