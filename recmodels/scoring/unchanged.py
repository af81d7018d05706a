"""Rows of a matrix of items by items that an earlier model has learned, and that are still as good as new.

What is learned of an item follows from the interactions that it has. Where they have hardly changed since, the row
would hardly change either: it is kept, and only the others are learned.
"""

from hashlib import sha256
from typing import NamedTuple

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Floats, entries_of
from recmodels.data.dataset import Dataset
from recmodels.options import WarmStart


class Kept(NamedTuple):
    """What is taken over of an earlier matrix."""

    changed: Bools
    """Which rows are to be learned: bool [n_items]."""
    rows: Csr
    """The others, [n_items, n_items]."""
    weights: Floats
    """The weight of each item's interactions, or what it was when the item's row was learned: float32 [n_items]."""

    @property
    def digest(self) -> str:
        """Of all of it."""
        arrays = self.changed, self.weights, self.rows.indptr, self.rows.indices, self.rows.data
        return sha256(b"".join(sha256(np.ascontiguousarray(array).data).digest() for array in arrays)).hexdigest()


def weights_of_items(data: Dataset) -> Floats:
    """The weight of each item's interactions: float32 [n_items]."""
    weights: Floats = data.item_weights.astype(np.float32)
    return weights


def kept_rows(start: WarmStart, earlier: Csr, weights: Floats, today: Floats, most: float) -> Kept:
    """The rows of items whose interactions have changed by a share of `most` at most.

    Args:
        start: where today's items stand in the earlier model.
        earlier: its matrix [m, m].
        weights: of the interactions of its items when their rows were learned [m].
        today: of those of today's items [n_items].
        most: that share, of what they had.
    """
    then = start.rows["items"]
    before = np.where(then < 0, 0, weights[np.maximum(then, 0)])
    changed = (then < 0) | (np.abs(today - before) > most * before) | (before == 0)
    known = then >= 0
    place = np.full(earlier.shape[1], -1, np.int32)
    place[then[known]] = np.flatnonzero(known)
    taken: Csr = earlier[then[~changed]]
    taken.indices = place[taken.indices]
    taken = entries_of(taken, taken.indices >= 0)
    lengths = np.zeros(len(then), np.int64)
    lengths[~changed] = np.diff(taken.indptr)
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(taken.indptr.dtype)
    rows: Csr = sparse.csr_array((taken.data, taken.indices, starts), shape=(len(then), len(then)))
    rows.sort_indices()
    return Kept(changed, rows, np.where(changed, today, before))
