"""Compiled parts of the ensemble: the best few of each user's candidates, and the sum of many trees."""

import numpy as np

from recmodels.compute.jit import jit
from recmodels.data.arrays import Doubles, Ints, Longs


@jit
def best(starts: Longs, scores: Doubles, k: int) -> Longs:
    """The places of each user's k highest scores, ties by the smaller place, -1 where there are no more: [n, k].

    User u's candidates lie at places starts[u] to starts[u + 1].
    """
    n = len(starts) - 1
    found = np.full((n, k), -1, np.int64)
    kept = np.empty(k, np.float64)
    for user in range(n):
        filled = 0
        for place in range(starts[user], starts[user + 1]):
            score = scores[place]
            if filled == k and not score > kept[k - 1]:
                continue
            at = min(filled, k - 1)
            while at > 0 and score > kept[at - 1]:
                kept[at] = kept[at - 1]
                found[user, at] = found[user, at - 1]
                at -= 1
            kept[at] = score
            found[user, at] = place
            filled = min(filled + 1, k)
    return found


@jit
def forest(
    rows: Doubles, roots: Ints, feature: Ints, threshold: Doubles, left: Ints, right: Ints, value: Doubles
) -> Doubles:
    """The sum over all trees of the value of the leaf that a row falls into: [n] for rows [n, n_features].

    The tree t begins at node roots[t]; `left` and `right` are the nodes where a feature is at most the threshold and
    where it is above, -1 at leaves.
    """
    sums = np.zeros(len(rows), np.float64)
    for row in range(len(rows)):
        for root in roots:
            node = root
            while left[node] >= 0:
                node = left[node] if rows[row, feature[node]] <= threshold[node] else right[node]
            sums[row] += value[node]
    return sums
