"""The last days held out of single events: what users did again is to be foretold, from what they did before."""

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Longs
from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog
from recmodels.data.folds import HOLDOUT_DAYS, Fold
from recmodels.data.times import MICROSECONDS_PER_DAY


def latest_of_events(
    data: Dataset, log: EventLog, days: float | None, min_users: int, max_users: int, seed: int
) -> Fold:
    """Hold out `days`, or the fewest that measure `min_users` users, or else those that measure most.

    Merged pairs alone cannot be parted like this: one that came back in these days would be missing before them, which
    would tell that it came back. The weights of pairs are those that they have in `data`, 1 of those that a fold
    hides as they came back after it; ratings are left out.
    """
    lengths = HOLDOUT_DAYS if days is None else (days,)
    best: Fold | None = None
    for length in lengths:
        longer = _last_days(data, log, length, max_users, seed)
        if best is not None and 2 * len(longer.train) < len(data):
            break
        if best is None or len(longer.users) > len(best.users):
            best = longer
        if len(best.users) >= min_users:
            break
    assert best is not None
    return best


def _last_days(data: Dataset, log: EventLog, days: float, max_users: int, seed: int) -> Fold:
    events = log.of(data)
    start = data.end - round(days * MICROSECONDS_PER_DAY)
    before = events.timestamp < start
    key = events.user.astype(np.int64) * data.n_items + events.item
    pair, place = _last_of_each(key[before])
    user, item = pair // data.n_items, pair % data.n_items
    of_data = data.user_index.astype(np.int64) * data.n_items + data.item_index
    order = np.argsort(of_data, kind="stable")
    row = order[np.minimum(np.searchsorted(of_data[order], pair), len(order) - 1)]
    weight = np.where(of_data[row] == pair, data.weight[row], np.float32(1))
    known = Dataset.from_arrays(
        user,
        item,
        timestamp=events.timestamp[before][place],
        weight=weight,
        terms=data.terms,
        user_terms=data.user_terms,
        item_vectors=data.item_vectors,
        n_users=data.n_users,
        n_items=data.n_items,
        end=start,
    )
    then = np.unique(key[~before])
    then = then[(np.diff(known.indptr) > 0)[then // data.n_items]]  # of users with a history
    users = np.unique(then // data.n_items)
    users = np.sort(np.random.default_rng(seed).permutation(users)[:max_users]).astype(np.int32)
    then = then[np.isin(then // data.n_items, users)]
    row = np.searchsorted(users, then // data.n_items)
    shape = len(users), data.n_items
    truth = sparse.csr_array((np.ones(len(then), np.bool_), (row, then % data.n_items)), shape=shape)
    return Fold(known, users, truth)


def _last_of_each(keys: Longs) -> tuple[Longs, Longs]:
    """The different keys, ascending, and where each stands last."""
    different, from_end = np.unique(keys[::-1], return_index=True)
    return different, len(keys) - 1 - from_end
