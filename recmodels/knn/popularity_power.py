"""Which power of their popularity neighbors are divided by: what lists find of a part of the data that is held out.

Popular neighbors are the better ones where items are much alike or have few users, as on most real sites; where tastes
are narrow, they hide what is near. Concentration, density and length of histories do not tell the two apart.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from recmodels.base import Recommender
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import ROWS_AT_A_TIME, Dataset

log = logging.getLogger(__name__)

USUAL, PLAIN = 0.2, 0.5
"""The powers that are compared: one that favors popular neighbors, and that of the plain cosine."""

PRODUCTS, LEAST = 1e7, 0.2
"""Some items are looked at alone, with all their interactions: as many as take so many products, which is half a second
of a core, but at least this share of all, which takes a twelfth of the whole training. (A sample of users would leave
items too few interactions, and popular ones would seem better than they are.)"""

TESTED, MIN_TESTED, MIN_HISTORY, HELD_OUT = 2000, 200, 3, 0.2
"""Users whose lists are measured, at most and at least; of how many interactions; which share of them, the latest."""

K, DEVIATIONS = 10, 2
"""Length of the lists; standard errors by which the plain cosine is to be better."""


class Trial(NamedTuple):
    """What is learned from, and who is tested."""

    train: Dataset
    users: Ints  # [n], ascending
    truth: Csr  # [n, n_items]: what they chose later


def chosen_power(fit: Callable[[float, Dataset], Recommender], data: Dataset) -> float:
    """`PLAIN` where lists by it are better beyond doubt, else `USUAL`.

    Args:
        fit: trains a model with that power on some data.
        data: what the model is to be trained on.
    """
    from recmodels.metrics.ranking import per_user

    trial = held_out(data)
    if trial is None:
        return USUAL
    usual, plain = (
        per_user(fit(power, trial.train).recommend(trial.train, trial.users, K).items, trial.truth)["ndcg"]
        for power in (USUAL, PLAIN)
    )
    better = plain - usual
    power = PLAIN if better.mean() > DEVIATIONS * better.std() / np.sqrt(len(better)) else USUAL
    log.info(
        "popularity_power is %g: NDCG@%d of %d users is %.4f with %g and %.4f with %g.",
        power, K, len(better), usual.mean(), USUAL, plain.mean(), PLAIN,
    )  # fmt: skip
    return power


def held_out(data: Dataset) -> Trial | None:
    """Some items with the interactions of all users, the latest of some users held out; None for too few users."""
    rng = np.random.default_rng(0)
    products = float((np.diff(data.indptr).astype(np.float64) ** 2).sum())
    share = min(1.0, max(LEAST, np.sqrt(PRODUCTS / max(1.0, products))))
    items = np.sort(rng.permutation(data.known_items)[: int(np.ceil(share * len(data.known_items)))])
    place = np.full(data.n_items, -1, np.int32)
    place[items] = np.arange(len(items))
    user, item, weight = _of_items(data, place)
    counts = np.bincount(user, minlength=data.n_users)
    users = np.sort(rng.permutation(np.flatnonzero(counts >= MIN_HISTORY))[:TESTED]).astype(np.int32)
    if len(users) < MIN_TESTED:
        return None
    row_of = np.full(data.n_users, -1, np.int32)
    row_of[users] = np.arange(len(users))
    after = np.cumsum(counts)[user] - np.arange(
        len(user)
    )  # interactions of the user from this one on, in order of time
    late = (row_of[user] >= 0) & (after <= np.ceil(HELD_OUT * counts[user]))
    train = Dataset.from_arrays(
        user[~late], item[~late], weight=weight[~late], n_users=data.n_users, n_items=len(items)
    )
    truth = Csr((np.ones(late.sum(), bool), (row_of[user[late]], item[late])), shape=(len(users), len(items)))
    return Trial(train, users, truth)


def _of_items(data: Dataset, place: Ints) -> tuple[Ints, Ints, Floats]:
    """User, place of the item and weight of the interactions with items that have a place, in their order."""
    found = []
    for user, item, weight in data.pieces(["user_index", "item_index", "weight"], ROWS_AT_A_TIME):
        there = place[item] >= 0
        found.append((user[there], place[item[there]], weight[there]))
    users, items, weights = zip(*found, strict=True)
    return np.concatenate(users), np.concatenate(items), np.concatenate(weights)
