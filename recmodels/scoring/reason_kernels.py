"""Reasons of lists whose scores add up what a sparse matrix stores for pairs of items: compiled, user by user."""

import numpy as np

from recmodels.compute.jit import jit
from recmodels.data.arrays import Ints
from recmodels.scoring.kernels import Sparse, ask_ahead

ROWS = 256  # users that a thread takes at a time


@jit
def stored_reasons(
    matrix: Sparse, affinity: Sparse, n_items: int, users: Ints, lists: Ints, reasons: Ints, start: int
) -> None:
    """For lists [b, k] of users from `start` on: the item of the history that adds most to each score.

    Row u of `matrix` is the history of user u, whose entry at item j adds itself times the entry (j, i) of `affinity`
    to the score of i. Fills `reasons` [b, k], which hold -1, where anything above 0 is added; ties go to the item that
    is stored first.
    """
    k = lists.shape[1]
    best = np.zeros(k, np.float32)
    listed = np.zeros(n_items, np.uint8)  # whether an item is in the list
    for row in range(start, min(start + ROWS, len(users))):
        user = users[row]
        best[:] = 0
        for item in lists[row]:
            if item >= 0:
                listed[item] = 1
        for at in range(matrix[0][user], matrix[0][user + 1]):
            ask_ahead(at, matrix[1], affinity)
            item, weight = matrix[1][at], matrix[2][at]
            for entry in range(affinity[0][item], affinity[0][item + 1]):
                if listed[affinity[1][entry]]:
                    share = affinity[2][entry] * weight
                    for place in range(k):
                        if lists[row, place] == affinity[1][entry] and share > best[place]:
                            best[place] = share
                            reasons[row, place] = item
        for item in lists[row]:
            if item >= 0:
                listed[item] = 0
