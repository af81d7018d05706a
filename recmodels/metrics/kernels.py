"""Which places of lists are hits, and which relevant items were found: one pass over lists and truth, compiled."""

import numpy as np
from numpy.typing import NDArray

from recmodels.compute.jit import jit
from recmodels.data.arrays import Bools, Ints

OK, OUTSIDE, TWICE = 0, 1, 2


@jit
def match(
    items: Ints, indptr: NDArray[np.int64], indices: Ints, relevant: Ints, listed: Ints, hits: Bools, found: Bools
) -> tuple[int, int]:
    """Fill `hits` [n, k] and `found` [nnz]; how it went, and the row where it did not.

    `relevant` and `listed` [n_items] are marks, -1 before the first row: the last row that each item was met in.
    """
    n, k = items.shape
    n_items = len(relevant)
    for row in range(n):
        for at in range(indptr[row], indptr[row + 1]):
            relevant[indices[at]] = row
        for place in range(k):
            item = items[row, place]
            if item < 0:
                hits[row, place] = False
                continue
            if item >= n_items:
                return OUTSIDE, row
            if listed[item] == row:
                return TWICE, row
            listed[item] = row
            hits[row, place] = relevant[item] == row
        for at in range(indptr[row], indptr[row + 1]):
            found[at] = listed[indices[at]] == row
    return OK, -1
