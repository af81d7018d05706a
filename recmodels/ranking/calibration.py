"""The mix of categories that a list should have: that of what its user has done (Steck, RecSys 2018)."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Doubles, Ints, Longs


@dataclass(frozen=True, eq=False)
class Mixes:
    """The distributions over categories of some users: user i has indices[indptr[i]:indptr[i + 1]] in these shares."""

    indptr: Longs
    indices: Ints
    shares: Doubles  # of a user: they add up to 1, or there are none


NO_MIXES = Mixes(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float64))


def category_shares(indptr: Longs, indices: Ints, n_categories: int) -> sparse.csr_array:
    """Each item's distribution over its categories, in equal parts: float64 [n_items, n_categories]."""
    sizes = np.diff(indptr)
    shares = np.repeat(1 / np.maximum(sizes, 1), sizes)
    return sparse.csr_array((shares, indices, indptr), shape=(len(sizes), n_categories))


def mixes_of(history: Csr, of_items: sparse.csr_array) -> Mixes:
    """The distributions of users with these histories, by weight: `history` is [n, n_items].

    Items without a category do not count, so that the shares of a user add up to 1 all the same.
    """
    mixed = sparse.csr_array(history.astype(np.float64) @ of_items)
    total = np.asarray(mixed.sum(axis=1)).ravel()
    shares = mixed.data / np.repeat(total, np.diff(mixed.indptr))
    return Mixes(mixed.indptr.astype(np.int64), mixed.indices.astype(np.int32), shares)
