"""How much each column helps trees to rank: what their NDCG loses when its values are shuffled."""

from collections.abc import Sequence

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.ensemble.fusion import RankingObjective
from recmodels.ensemble.stacking import Stack

MEMBERS_TOGETHER = ("listed by", "mean reciprocal rank", "mean score")
ABOUT_ITEMS, ABOUT_USERS = ("popularity", "recent popularity"), ("length of history", "days since the last")
BESIDE = len(MEMBERS_TOGETHER) + len(ABOUT_ITEMS) + len(ABOUT_USERS)
"""Columns that trees always see, after those of the members and before a site's own."""


def feature_names(members: Sequence[str], own: Sequence[str]) -> list[str]:
    """The names of what `stacking.features` gives, and of a site's own columns after it."""
    return [*(f"score of {name}" for name in members), *MEMBERS_TOGETHER, *ABOUT_ITEMS, *ABOUT_USERS, *own]


def importances(objective: RankingObjective, rows: Doubles, stack: Stack, beside: Doubles, seed: int) -> Doubles:
    """Permutation importances (Breiman, "Random Forests", Machine Learning 2001), on users held out of the trees.

    Args:
        objective: of n candidates.
        rows: what the trees see of them, [n, c].
        stack: the trees, and those that were fitted without the users of `stack.out`.
        beside: the log odds of each candidate that trees add to, by what other users gave, [n].
        seed: of the shuffles.

    Returns:
        float64 [c, 2]: the mean loss of NDCG by these users when a column is shuffled among their candidates, and its
        standard error over them. About 0, or below, where the column does not help.
    """
    out = np.flatnonzero(stack.out)
    users = np.unique(objective.candidates.user[out])
    beside = stack.blend * beside

    def ndcg(shown: Doubles) -> Doubles:
        scores = np.zeros(len(rows))
        scores[out] = stack.without.scores(shown) + beside[out]
        return objective.per_user(scores)[users]

    rng = np.random.default_rng(seed)
    shown, found = rows[out], np.zeros((rows.shape[1], 2))
    whole = ndcg(shown)
    for column in range(rows.shape[1]):
        shuffled = shown.copy()
        shuffled[:, column] = rng.permutation(shown[:, column])
        loss = whole - ndcg(shuffled)
        found[column] = loss.mean(), loss.std(ddof=1) / np.sqrt(len(loss)) if len(loss) > 1 else 0.0
    return found
