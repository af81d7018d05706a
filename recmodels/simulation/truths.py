"""What only the behavior model knows: how good lists are beside the best possible ones."""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.simulation.behavior import NOTHING, Behavior
from recmodels.simulation.known import Known

PAIRS = 1_000_000
"""So many pairs of a user and an item are looked at a night: the users that regret is measured of are drawn."""


@dataclass(frozen=True)
class Best:
    """How lists compare with the best possible ones of some users.

    Attributes:
        regret: how much more a place of the best list is worth, NaN for who was not drawn, `[n_users]`.
        worth: the mean utility of each item for those who were drawn, NaN for those that are not out, `[n_items]`.
    """

    regret: Doubles
    worth: Doubles


def drawn(here: Bools, out: Bools, seed: int, night: int) -> Ints:
    """The users that regret is measured of on a night, the same whatever the policy as far as they are here."""
    order = np.random.default_rng([seed, night]).permutation(len(here)).astype(np.int32)
    return np.sort(order[here[order]][: max(1, PAIRS // max(1, int(out.sum())))])


def against_the_best(behavior: Behavior, lists: Ints, known: Known, users: Ints) -> Best:
    """The regret of the lists of some users: places count 1 / log₂(place + 1), as in NDCG, and an empty one is worth 0.

    Args:
        behavior: as users find it on that night.
        lists: of all users, `[n_users, k]`.
        known: what may be on a list of the night.
        users: of whom.
    """
    n_items = len(known.out)
    utility = behavior.utilities(users)
    nobody = np.full(n_items, np.nan)
    worth = np.where(known.out, utility.mean(axis=0, dtype=np.float64), np.nan) if len(users) else nobody

    k = min(lists.shape[1], n_items)
    allowed = known.listed(utility, users)
    best = -np.sort(-np.partition(allowed, n_items - k, axis=1)[:, n_items - k :], axis=1)
    mine = lists[users][:, :k]
    own = np.where(mine == NOTHING, 0.0, np.take_along_axis(utility, np.maximum(mine, 0), axis=1))
    weights = 1 / np.log2(np.arange(2, k + 2))
    regret = np.full(len(lists), np.nan)
    regret[users] = (np.where(np.isfinite(best), best, 0.0) - own) @ (weights / weights.sum())
    return Best(regret, worth)
