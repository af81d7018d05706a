"""Reasons of lists whose scores add up what a sparse matrix stores for pairs of items: compiled, user by user."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.compute.jit import jit
from recmodels.data.arrays import Floats, Ints

Sparse: TypeAlias = tuple[NDArray[Any], NDArray[Any], Floats]  # indptr, indices and data

ROWS = 256  # users that a thread takes at a time


@jit
def _stored(columns: NDArray[Any], first: int, last: int, column: int) -> int:
    """Where a column is within a range of ascending ones, or would be."""
    while first < last:
        middle = (first + last) // 2
        if columns[middle] < column:
            first = middle + 1
        else:
            last = middle
    return first


@jit
def stored_reasons(matrix: Sparse, affinity: Sparse, users: Ints, lists: Ints, reasons: Ints, start: int) -> None:
    """For lists [b, k] of users from `start` on: the item of the history that adds most to each score.

    Row u of `matrix` is the history of user u, whose entry at item j adds itself times the entry (j, i) of `affinity`
    to the score of i. Columns of `affinity` ascend. Fills `reasons` [b, k], which hold -1, where anything above 0 is
    added; ties go to the item that is stored first.
    """
    k = lists.shape[1]
    best = np.zeros(k, np.float32)
    for row in range(start, min(start + ROWS, len(users))):
        user = users[row]
        best[:] = 0
        for at in range(matrix[0][user], matrix[0][user + 1]):
            item, weight = matrix[1][at], matrix[2][at]
            first, last = affinity[0][item], affinity[0][item + 1]
            for place in range(k):
                listed = lists[row, place]
                if listed < 0:
                    continue
                found = _stored(affinity[1], first, last, listed)
                if found < last and affinity[1][found] == listed:
                    share = affinity[2][found] * weight
                    if share > best[place]:
                        best[place] = share
                        reasons[row, place] = item
