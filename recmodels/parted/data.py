"""The interactions of a split as parts: ranges of users, each by user and by item.

Their number follows from the number of interactions alone. They are made once for all models that are trained on the
same data.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Ints
from recmodels.data.dataset import Dataset
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr, write_arrays
from recmodels.parted.training import PartedTraining, made, ranges

BY_USER, BY_ITEM = "by_user_", "by_item_"


@dataclass(frozen=True, eq=False)
class UserRange:
    """The interactions of some users who follow one another, on the disk.

    Attributes:
        items: int32 [m], those that these users have interacted with, ascending.
        by_user: float32 [n, m], the weights, items ascending in each row.
        by_item: float32 [m, n], the same, users ascending in each row.
    """

    items: Ints
    by_user: Csr
    by_item: Csr


def user_ranges(data: Dataset) -> list[tuple[int, int]]:
    """The first user of each bucket, and the one after the last."""
    return ranges(data.matrix.indptr, data.matrix.nnz)


def data_parts(training: PartedTraining, data: Dataset) -> list[Path]:
    """A part for each of `user_ranges`, which `user_range` reads."""
    found = []
    for number, (first, last) in enumerate(user_ranges(data)):
        about = f"{training.shared.name} {first} {last}"
        found.append(made(training.shared / f"users-{number:04}", about, partial(_write, data, first, last)))
    return found


def user_range(part: Path) -> UserRange:
    """What a part of `data_parts` holds."""
    return UserRange(mapped(part, "items"), mapped_csr(part, BY_USER), mapped_csr(part, BY_ITEM))


def _write(data: Dataset, first: int, last: int, out: Path) -> None:
    weights: Csr = data.matrix[first:last]
    items, places = np.unique(weights.indices, return_inverse=True)
    shape = (weights.shape[0], len(items))
    by_user: Csr = sparse.csr_array((weights.data, places.astype(np.int32), weights.indptr), shape=shape)
    by_item: Csr = by_user.T.tocsr()  # stable: users ascend
    write_arrays(out, csr_arrays(by_user, BY_USER) | csr_arrays(by_item, BY_ITEM) | {"items": items})
