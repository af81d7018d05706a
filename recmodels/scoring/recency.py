"""Histories whose latest items count more, for models whose scores add up what each item of a history says."""

from typing import Annotated, TypeAlias

import numpy as np
from annotated_types import Ge
from scipy import sparse

from recmodels.data.arrays import Csr, Ints, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.parameters import Search

Recency: TypeAlias = Annotated[float, Ge(0), Search(0.0, 1.0)]


def recent_first(data: Dataset, users: Ints, recency: float) -> Csr:
    """Histories of some users, an item's weight times (1 + items that came after it)^-recency: float32 [b, n_items].

    By what came after, not by the time since: so a user who was long away keeps their taste, and a log without times
    will do. Items ascend in each row.
    """
    if recency == 0:
        return data.matrix[users]
    lengths = row_lengths(data.indptr, users)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    after = np.repeat(indptr[1:], lengths) - 1 - np.arange(indptr[-1])
    rows = np.repeat(data.indptr[1:][users], lengths) - 1 - after
    weights = (data.weight[rows] * (1.0 + after) ** -recency).astype(np.float32)
    history: Csr = sparse.csr_array((weights, data.item_index[rows], indptr), shape=(len(users), data.n_items))
    history.sort_indices()
    return history


def histories_and_rows(data: Dataset, users: Ints, recency: float) -> tuple[Csr, Ints]:
    """The same as a matrix and the row of each user in it; nothing is copied where all items count alike."""
    if recency == 0:
        return data.matrix, users
    return recent_first(data, users, recency), np.arange(len(users), dtype=np.int32)
