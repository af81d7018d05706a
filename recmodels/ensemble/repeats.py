"""The last days held out of single events: what users did again is to be foretold, from what they did before."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Floats, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog
from recmodels.data.folds import HOLDOUT_DAYS, Fold
from recmodels.data.times import MICROSECONDS_PER_DAY


def latest_of_events(
    data: Dataset, log: EventLog, days: float | None, min_users: int, max_users: int, seed: int
) -> Fold:
    """Hold out `days`, or the fewest that measure `min_users` users, or else those that measure most.

    Merged pairs alone cannot be parted like this: one that came back in these days would be missing before them, which
    would tell that it came back. So would its weight and its rating, into which what came later has gone: it has no
    rating, and the weight that is usual for as many events (`usual_weights`). Other pairs are as they are in `data`.
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
    then = np.unique(key[~before])
    pair, place, count = _last_of_each(key[before])
    last = events.timestamp[before][place]
    kept = data.user_index.astype(np.int64) * data.n_items + data.item_index
    stays = np.flatnonzero((data.timestamp < start) & ~np.isin(kept, then))  # whether or not the log has events of it
    kept, times, weights = kept[stays], data.timestamp[stays], data.weight[stays]
    order = np.argsort(kept, kind="stable")
    back = ~np.isin(pair, kept)
    others = order[np.searchsorted(kept[order], pair[~back])]
    times[others] = np.maximum(times[others], last[~back])
    usual = usual_weights(count[back], count[~back], weights[others])
    every = np.concatenate([kept, pair[back]])
    known = Dataset.from_arrays(
        every // data.n_items,
        every % data.n_items,
        timestamp=np.concatenate([times, last[back]]),
        weight=np.concatenate([weights, usual]),
        rating=None if data.rating is None else np.append(data.rating[stays], np.full(len(usual), np.nan)),
        terms=data.terms,
        user_terms=data.user_terms,
        item_vectors=data.item_vectors,
        n_users=data.n_users,
        n_items=data.n_items,
        end=start,
    )
    known = replace(known, domains=data.domains)
    then = then[(np.diff(known.indptr) > 0)[then // data.n_items]]  # of users with a history
    users = np.unique(then // data.n_items)
    users = np.sort(np.random.default_rng(seed).permutation(users)[:max_users]).astype(np.int32)
    then = then[np.isin(then // data.n_items, users)]
    row = np.searchsorted(users, then // data.n_items)
    shape = len(users), data.n_items
    truth = sparse.csr_array((np.ones(len(then), np.bool_), (row, then % data.n_items)), shape=shape)
    return Fold(known, users, truth)


def usual_weights(counts: Longs, of_others: Longs, weights: Floats) -> Floats:
    """The weights that pairs of so many events have by the line of least squares through those of others.

    It is exact where a weight is the number of events, or the same for all pairs; no weight is below the lowest one.

    Args:
        counts: int64 [n], how many events pairs have.
        of_others: int64 [m], those of other pairs.
        weights: float32 [m], the weights of these.

    Returns:
        float32 [n]; 1 where there are no others.
    """
    if not len(weights):
        return np.ones(len(counts), np.float32)
    mean, beside = of_others.mean(), weights.mean(dtype=np.float64)
    apart = of_others - mean
    slope = (apart * (weights - beside)).sum() / max((apart * apart).sum(), 1e-9)
    line: Floats = np.maximum(beside + slope * (counts - mean), weights.min()).astype(np.float32)
    return line


def _last_of_each(keys: Longs) -> tuple[Longs, Longs, Longs]:
    """The different keys, ascending, where each stands last, and how often it is there."""
    different, from_end, count = np.unique(keys[::-1], return_index=True, return_counts=True)
    return different, len(keys) - 1 - from_end, count
