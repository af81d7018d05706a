"""Scores of items by their terms: compiled, some users at a time, whose profiles stay in the processor's cache.

What an item scores for a user is computed by itself: results do not depend on who else is scored, nor on threads.
"""

import numpy as np

from recmodels.compute.jit import jit
from recmodels.data.arrays import Bools, Floats
from recmodels.scoring.kernels import Sparse

USERS = 64  # whose products are summed up side by side: a few vector registers
SUMMED = 8  # sums of a sparse product, each at a place of its own, that take as long as one for all these users


@jit
def add_dense_product(profiles: Floats, terms: Sparse, out: Floats, first: int) -> None:
    """The products of profiles [n_terms, USERS] with all items, to rows from `first` on of a matrix [b, n_items]."""
    indptr, indices, data = terms
    n = min(USERS, len(out) - first)
    sums = np.empty(USERS, np.float32)
    for item in range(out.shape[1]):
        sums[:] = 0
        for at in range(indptr[item], indptr[item + 1]):
            term, value = indices[at], data[at]
            for user in range(USERS):
                sums[user] += profiles[term, user] * value
        for user in range(n):
            out[first + user, item] = sums[user]


@jit
def finish_scores(
    scores: Floats, first: int, last: int, common: Floats, lengths: Floats, described: Bools, prior: Floats
) -> None:
    """Make scores of products with profiles [b, n_items], in some of the rows.

    Args:
        scores: the products.
        first, last: rows.
        common: what is taken off each item's product, before it is divided by the user's `lengths` [b]: [n_items].
        described: which users have a profile: bool [b]; for others all items are equally similar.
        prior: what is added to each item: [n_items]. An item that shares no term and has nothing to add scores -inf.
    """
    for row in range(first, min(last, len(scores))):
        length, some = lengths[row], described[row]
        for item in range(scores.shape[1]):
            product = scores[row, item]
            similar = (max(product, np.float32(0)) - common[item]) / length if some else np.float32(0)
            nothing = product <= 0 and prior[item] <= 0
            scores[row, item] = -np.inf if nothing else similar + prior[item]
