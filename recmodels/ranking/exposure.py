"""Which share of all lists' exposure groups of items (providers, categories) must have at least, and may have at most.

A place counts 1 / log2(rank + 1), as in `metrics.long_term.discounted_exposure`, or each place the same.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Doubles, Floats, Ints, Longs

SLACK = 0.02  # of a bound: a share that is no farther from it is kept


@dataclass(frozen=True, eq=False)
class Bounds:
    """The groups and their bounds. An item may be in several groups, and counts in each."""

    indptr: Longs  # item i is in the groups indices[indptr[i]:indptr[i + 1]]
    indices: Ints
    least: Doubles  # [n_groups], 0 where there is no such bound
    most: Doubles  # [n_groups], 1 where there is no such bound
    by_place: bool = False  # each place counts the same
    prices: Doubles | None = None  # [n_groups]: what keeps them, `recmodels.exposure_prices`; None until they are known

    @cached_property
    def members(self) -> sparse.csr_array:
        """Whether an item is in a group: float64 [n_items, n_groups]."""
        shape = (len(self.indptr) - 1, len(self.least))
        return sparse.csr_array((np.ones(len(self.indices)), self.indices, self.indptr), shape=shape)

    @cached_property
    def raised(self) -> Bools:
        """The items of groups that must have a least share: bool [n_items]."""
        return np.asarray(self.members @ (self.least > 0).astype(np.float64) > 0)

    def weights(self, ranks: "np.ndarray[Any, Any]") -> Doubles:
        """What places of these ranks, from 1, count."""
        weights: Doubles = np.ones(len(ranks)) if self.by_place else 1 / np.log2(ranks + 1.0)
        return weights

    def of_lists(self, items: Ints) -> tuple[Doubles, Doubles]:
        """The exposure of each group in each list, and that of all its items: [n, n_groups] and [n].

        `items` is [n, k], -1 in empty places.
        """
        row, place = np.nonzero(items >= 0)
        weights = self.weights(place + 1)
        shape = (len(items), self.members.shape[0])
        lists = sparse.coo_array((weights, (row, items[row, place])), shape=shape).tocsr()
        return (lists @ self.members).toarray(), np.bincount(row, weights, len(items)).astype(np.float64)

    def missed(self, shares: Doubles) -> Bools:
        """Which of the groups' shares are not within their bounds, or by more than a little: bool [n_groups]."""
        return (shares < self.least * (1 - SLACK)) | (shares > self.most * (1 + SLACK))

    def shares(self, items: Ints) -> Doubles:
        """The share of all exposure that each group has: [n_groups], 0 where nothing is listed."""
        groups, whole = self.of_lists(items)
        return np.asarray(groups.sum(axis=0) / (whole.sum() or 1))

    def of_items(self, prices: Doubles) -> Floats:
        """The price of each item, given those of the groups [n_groups]: the sum over its groups, float32 [n_items]."""
        return np.asarray(self.members @ prices, np.float32)
