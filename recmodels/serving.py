"""What a user is shown: the model's list, completed by popular items where the model has too few."""

from dataclasses import dataclass

import numpy as np

from recmodels.base import Recommender
from recmodels.dataset import Bools, Dataset, Floats, Ints

COMPARED = 2**25  # pairs of items compared at a time while completing lists: a byte each


@dataclass(frozen=True, eq=False)
class Lists:
    """A list for each user, best first; -1 only where no eligible item is left."""

    users: Ints  # [n]
    items: Ints  # [n, k]
    scores: Floats  # [n, k]: finite and non-increasing where there is an item, else -inf
    cold: Bools  # [n, k]: whether the fallback supplied the item
    reasons: Ints  # [n, k]: the item of the user's history that contributed most, -1 where none can be named


def serve(
    model: Recommender,
    fallback: Recommender,
    data: Dataset,
    users: Ints,
    k: int,
    *,
    allowed: Bools | None = None,
    repeats: bool = False,
    min_history: int = 1,
    explain: bool = False,
) -> Lists:
    """Lists of min(k, eligible) items for each of `users`, from the model first and then from the fallback.

    Eligible are the allowed items that the user does not have (any allowed item with `repeats`). Users with fewer
    than `min_history` interactions get only the fallback, which must be able to rank every item, as `Popularity`
    does. The j-th fallback item scores last - (j - 1) / k, `last` being the score of the model's last item (1
    where it has none): finite, and never rising.
    """
    top = model.recommend(data, users, k, allowed=allowed, repeats=repeats)
    top.items[np.diff(data.indptr)[users] < min_history] = -1
    items, scores = top.items.copy(), top.scores.copy()
    short = np.flatnonzero(top.items[:, -1] < 0)
    step = max(1, COMPARED // (2 * k * k))
    for rows in (short[i : i + step] for i in range(0, len(short), step)):
        fill = fallback.recommend(data, users[rows], 2 * k, allowed=allowed, repeats=repeats)
        items[rows], scores[rows] = _completed(top.items[rows], top.scores[rows], fill.items)
    reasons = model.explain(data, users, top) if explain else np.full_like(items, -1)
    return Lists(np.asarray(users, np.int32), items, scores, (items >= 0) & (top.items < 0), reasons)


def _completed(own: Ints, scores: Floats, fill: Ints) -> tuple[Ints, Floats]:
    """The model's items [b, k] followed by those of the fallback [b, 2k] that are not among them: two [b, k]."""
    k = own.shape[1]
    fresh = (fill >= 0) & ~(fill[:, :, None] == own[:, None, :]).any(axis=2)
    both = np.concatenate([own, np.where(fresh, fill, -1)], axis=1)  # [b, 3k]
    front = np.argsort(both < 0, axis=1, kind="stable")[:, :k]  # the items there are, in order
    items = np.take_along_axis(both, front, axis=1)
    given = (own >= 0).sum(axis=1, keepdims=True)  # [b, 1]: the model's items, a prefix of its list
    last = np.where(given > 0, np.take_along_axis(scores, np.maximum(given - 1, 0), axis=1), 1).astype(np.float64)
    step = (np.arange(k) - given) / k  # [b, k]: 0 for the first fallback item, below 1 for the last
    filled = np.where(items >= 0, last - step, -np.inf).astype(np.float32)
    return items, np.where(np.arange(k) < given, scores, filled)
