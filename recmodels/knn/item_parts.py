"""Neighbors of items by the parts of the data: the process that trains reads what is counted of each item alone.

A bucket puts the weighted histories of all users together, which each node needs, on its disk. The rows of the items
that a bucket compares with all others are its own to find, in the parts.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import Self

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr, write_arrays, write_long
from recmodels.parted.data import UserRange, data_parts, user_range
from recmodels.parted.sums import groups, summed, write_sums
from recmodels.parted.training import PartedTraining, ranges
from recmodels.scoring.similarity import (
    Measure,
    Weighting,
    denominators_of,
    idf_of,
    lengths_of,
    nearest_of,
    row_sums,
    weighted_values,
)

ROW = 16  # bytes of what `measure_items` writes of an item


@dataclass(frozen=True)
class Weights:
    """How interactions count, see `recmodels.scoring.similarity`."""

    weighting: Weighting
    k1: float
    b: float


def nearest_items(training: PartedTraining, data: Dataset, weights: Weights, measure: Measure, k: int) -> Csr:
    """`nearest` of the items [n_items, n_items], whose rows are their interactions, weighted."""
    n, parts = data.n_items, data_parts(training, data)
    lengths = training.keep("lengths", lambda: {"lengths": lengths_of(data.item_weights, weights.k1, weights.b)})

    def bucket(number: int, group: list[int]) -> Bucket:
        inputs = {"lengths": lengths} | {f"data-{part:04}": parts[part] for part in group}
        return Bucket(f"{number:04}", inputs, {"n_items": n, "weights": asdict(weights), "parts": group})

    some, everything = map(bucket, count(), groups(len(parts))), bucket(0, [*range(len(parts))])
    totals = summed(training, measure_items, [*some], "measured", n, ROW)
    left, right = denominators_of(totals[:, 1], measure)
    (columns,) = training.map(join_users, [everything], "columns", fetch=False)
    items = training.keep("items", lambda: {"left": left, "right": right})
    inputs = {**everything.inputs, "items": items, "columns": columns}
    told = {**everything.arguments, "k": min(k, n - 1), "measure": asdict(measure)}
    starts = np.concatenate(([0], np.cumsum(totals[:, 0].astype(np.int64))))
    buckets = [
        Bucket(f"{number:04}", inputs, told | {"first": first, "last": last})
        for number, (first, last) in enumerate(ranges(starts, len(data)))
    ]
    found = [mapped_csr(part) for part in training.map(compare_items, buckets, "nearest")]
    stacked: Csr = sparse.vstack(found, format="csr")
    return stacked


def measure_items(work: Work) -> None:
    """Of each item, by the users of some parts: the products that comparing it takes, and the sum of its squares."""
    weighing, totals = _Weighing.of(work), np.zeros((work.arguments["n_items"], 2))
    for own in _parts(work):
        rows, sizes = weighing.of_items(own, 0, len(own.items)), np.diff(own.by_user.indptr).astype(np.int64)
        totals[own.items, 0] += row_sums(rows, lambda some, rows=rows, sizes=sizes: sizes[rows.indices[some]])  # type: ignore[misc]
        totals[own.items, 1] += row_sums(rows, lambda some, rows=rows: rows.data[some].astype(np.float64) ** 2)  # type: ignore[misc]
    there = np.flatnonzero(totals[:, 0]).astype(np.int32)
    write_sums(work.out, there, totals[there], work.arguments["edges"])


def join_users(work: Work) -> None:
    """The weighted histories of all users, those of a part after those of another: a matrix [n_users, n_items]."""
    sizes = [np.diff(own.by_user.indptr) for own in _parts(work)]
    indptr = np.concatenate(([0], np.cumsum(np.concatenate(sizes), dtype=np.int64)))
    total, weighing = int(indptr[-1]), _Weighing.of(work)
    indices = (own.items[own.by_user.indices] for own in _parts(work))
    write_long(work.out / "indices.npy", np.int32, total, indices)
    write_long(work.out / "data.npy", np.float32, total, (weighing.of_users(own) for own in _parts(work)))
    shape = np.array([len(indptr) - 1, work.arguments["n_items"]], np.int64)
    write_arrays(work.out, {"indptr": indptr.astype(np.int32) if total < 2**31 else indptr, "shape": shape})


def compare_items(work: Work) -> None:
    """The nearest of some items."""
    told, items = work.arguments, work.inputs["items"]
    found = nearest_of(
        _rows(work, told["first"], told["last"]), Measure(**told["measure"]), told["k"],
        mapped_csr(work.inputs["columns"]), mapped(items, "left"), mapped(items, "right"), told["first"],
    )  # fmt: skip
    write_arrays(work.out, csr_arrays(found))


@dataclass(frozen=True, eq=False)
class _Weighing:
    """Weights interactions, a part of the data at a time: what `weighted_rows` makes of all at once.

    Attributes:
        lengths: of the items, see `lengths_of`: float32 [n_items].
        weights: how they are weighted.
    """

    lengths: Floats
    weights: Weights

    @classmethod
    def of(cls, work: Work) -> Self:
        return cls(mapped(work.inputs["lengths"], "lengths"), Weights(**work.arguments["weights"]))

    def of_users(self, own: UserRange) -> Floats:
        """The values of `own.by_user`."""
        rows = own.by_user
        idf = np.repeat(self._idf(own), np.diff(rows.indptr))
        return self._values(rows.data, idf, self.lengths[own.items[rows.indices]])

    def of_items(self, own: UserRange, low: int, high: int) -> Csr:
        """Some rows of `own.by_item`."""
        rows: Csr = own.by_item[low:high]
        lengths = np.repeat(self.lengths[own.items[low:high]], np.diff(rows.indptr))
        values = self._values(rows.data, self._idf(own)[rows.indices], lengths)
        return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)

    def _values(self, values: Floats, idf: Floats, lengths: Floats) -> Floats:
        return weighted_values(values, self.weights.weighting, idf, lengths, self.weights.k1)

    def _idf(self, own: UserRange) -> Floats:
        return idf_of(np.diff(own.by_user.indptr), len(self.lengths))


def _parts(work: Work) -> Iterator[UserRange]:
    """The parts of the data that a bucket reads, in their order."""
    return (user_range(work.inputs[f"data-{number:04}"]) for number in work.arguments["parts"])


def _rows(work: Work, first: int, last: int) -> Csr:
    """The weighted interactions of some items with all users, users ascending: [last - first, n_users]."""
    weighing, n_users = _Weighing.of(work), 0
    owners, users, values = list[Ints](), list[Ints](), list[Floats]()
    for own in _parts(work):
        low, high = np.searchsorted(own.items, [first, last]).tolist()
        rows = weighing.of_items(own, low, high)
        owners.append(np.repeat(own.items[low:high] - np.int32(first), np.diff(rows.indptr)))
        users.append(rows.indices + np.int32(n_users))
        values.append(rows.data)
        n_users += own.by_user.shape[0]
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    indptr = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=last - first))))
    entries = np.concatenate(values)[order], np.concatenate(users)[order], indptr.astype(np.int32)
    return sparse.csr_array(entries, shape=(last - first, n_users))
