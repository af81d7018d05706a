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
from recmodels.data.layout import PREPARED
from recmodels.data.stored import StoredDataset, weights_of_users
from recmodels.engine.current import engine
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import csr_arrays, linked, mapped, mapped_csr, write_arrays
from recmodels.parted.training import PartedTraining, code, made, ranges

BY_USER, BY_ITEM = "by_user_", "by_item_"
TABLES, EXCLUDED = "tables", "excluded"


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
    return ranges(data.indptr, len(data))


def data_parts(training: PartedTraining, data: Dataset) -> list[Path]:
    """A part for each of `user_ranges`, which `user_range` reads; of data on the disk the engine makes them."""
    found = user_ranges(data)
    if isinstance(data, StoredDataset) and data.on_disk:
        inputs = {TABLES: tables_part(training.shared, data)}
        about = {"split": data.split, "n_items": data.n_items}
        buckets = [
            Bucket(f"users-{number:04}", inputs, about | {"first": first, "last": last})
            for number, (first, last) in enumerate(found)
        ]
        return engine().map(write_range, buckets, training.shared, code=code(), fetch=False)
    parts = []
    for number, (first, last) in enumerate(found):
        write = partial(_write, data.matrix[first:last])
        about_part = f"{training.shared.name} {first} {last}"
        parts.append(made(training.shared / f"users-{number:04}", about_part, write))
    return parts


def tables_part(shared: Path, data: StoredDataset) -> Path:
    """The prepared tables of a split as a part, for buckets that read rows, and whose rows are left out."""

    def write(out: Path) -> None:
        for path in sorted((data.features / PREPARED).rglob("*.parquet")):
            linked(path, out / PREPARED / path.relative_to(data.features / PREPARED))
        if data.excluded is not None:
            write_arrays(out, {EXCLUDED: data.excluded})

    return made(shared / TABLES, f"{shared.name} {TABLES}", write)


def write_range(work: Work) -> None:
    """The part of some users."""
    tables, told = work.inputs[TABLES], work.arguments
    excluded = mapped(tables, EXCLUDED) if (tables / f"{EXCLUDED}.npy").exists() else None
    own = weights_of_users(tables, told["split"], told["first"], told["last"], told["n_items"], excluded)
    _write(own, work.out)


def user_range(part: Path) -> UserRange:
    """What a part of `data_parts` holds."""
    return UserRange(mapped(part, "items"), mapped_csr(part, BY_USER), mapped_csr(part, BY_ITEM))


def _write(weights: Csr, out: Path) -> None:
    items, places = np.unique(weights.indices, return_inverse=True)
    shape = (weights.shape[0], len(items))
    by_user: Csr = sparse.csr_array((weights.data, places.astype(np.int32), weights.indptr), shape=shape)
    by_item: Csr = by_user.T.tocsr()  # stable: users ascend
    write_arrays(out, csr_arrays(by_user, BY_USER) | csr_arrays(by_item, BY_ITEM) | {"items": items})
