"""Neighbors of items by the parts of the data: the process that trains reads what is counted of each item alone.

A bucket puts the weighted histories of all users together, which each node needs, on its disk. The rows of the items
that a bucket compares with all others are its own to find, in the parts.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Self

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Doubles, Floats, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr, write_arrays, write_long
from recmodels.parted.data import UserRange, data_parts, user_range
from recmodels.parted.sums import groups, summed, write_sums
from recmodels.parted.training import PartedTraining, ranges
from recmodels.scoring.kept_neighbors import largest_of_both, only_columns
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
from recmodels.scoring.unchanged import Kept

ROW = 24  # bytes of what `measure_items` writes of an item


@dataclass(frozen=True)
class Weights:
    """How interactions count, see `recmodels.scoring.similarity`."""

    weighting: Weighting
    k1: float
    b: float


def nearest_items(
    training: PartedTraining, data: Dataset, weights: Weights, measure: Measure, k: int, kept: Kept | None = None
) -> Csr:
    """`nearest_after` of the items [n_items, n_items], whose rows are their interactions, weighted."""
    n, parts = data.n_items, data_parts(training, data)
    changed = np.ones(n, np.bool_) if kept is None else kept.changed
    lengths = lengths_of(data.item_weights, weights.k1, weights.b)
    known = training.keep("known", lambda: {"changed": changed, "lengths": lengths})

    def bucket(number: int, group: list[int]) -> Bucket:
        inputs = {"known": known} | {f"data-{part:04}": parts[part] for part in group}
        return Bucket(f"{number:04}", inputs, {"n_items": n, "weights": asdict(weights), "parts": group})

    totals = summed(training, measure_items, [*map(bucket, count(), groups(len(parts)))], "measured", n, ROW)
    left, right = denominators_of(totals[:, 2], measure)
    items = training.keep("items", lambda: {"left": left, "right": right})
    everything = bucket(0, [*range(len(parts))])

    def found(step: str, chosen: Bools, products: Doubles, told: dict[str, Any]) -> Csr:
        """Neighbors of the chosen items: among all, or `others` among those that have changed."""
        told = {**everything.arguments, **told}
        join = Bucket("0000", everything.inputs, told)
        (columns,) = training.map(join_users, [join], f"{step}-columns", fetch=False)
        inputs = {**everything.inputs, "items": items, "columns": columns}
        told |= {"k": min(k, n - 1), "measure": asdict(measure)}
        starts = np.concatenate(([0], np.cumsum(np.where(chosen, products, 0).astype(np.int64))))
        buckets = [
            Bucket(f"{number:04}", inputs, told | {"first": first, "last": last})
            for number, (first, last) in enumerate(ranges(starts, int(data.item_counts[chosen].sum())))
        ]
        parts = [mapped_csr(part) for part in training.map(compare_items, buckets, f"{step}-nearest")]
        stacked: Csr = sparse.vstack(parts, format="csr")
        return stacked

    own = found("changed", changed, totals[:, 0], {"others": False})
    if kept is None:
        return own
    others = found("others", ~changed, totals[:, 1], {"others": True})
    return largest_of_both(own + others, only_columns(kept.rows, ~changed), k)


def measure_items(work: Work) -> None:
    """Of each item, by the users of some parts: the products that comparing it takes, and the sum of its squares.

    The products are those with all items, and those with items that have changed.
    """
    weighing, totals = _Weighing.of(work), np.zeros((work.arguments["n_items"], 3))
    changed = mapped(work.inputs["known"], "changed")
    for own in _parts(work):
        rows = weighing.of_items(own, 0, len(own.items))
        for column, sizes in enumerate((np.diff(own.by_user.indptr), _sizes(own, changed[own.items]))):
            totals[own.items, column] += row_sums(
                rows,
                lambda some, rows=rows, sizes=sizes: sizes[rows.indices[some]].astype(np.int64),  # type: ignore[misc]
            )
        totals[own.items, 2] += row_sums(rows, lambda some, rows=rows: rows.data[some].astype(np.float64) ** 2)  # type: ignore[misc]
    there = np.flatnonzero(totals[:, 0]).astype(np.int32)
    write_sums(work.out, there, totals[there], work.arguments["edges"])


def join_users(work: Work) -> None:
    """The weighted histories of all users, those of a part after those of another: a matrix [n_users, n_items].

    Where `others` are looked for, it has those items alone that have changed.
    """
    weighing, wanted = _Weighing.of(work), mapped(work.inputs["known"], "changed") | (not work.arguments["others"])
    sizes = [_sizes(own, wanted[own.items]) for own in _parts(work)]
    indptr = np.concatenate(([0], np.cumsum(np.concatenate(sizes), dtype=np.int64)))
    total = int(indptr[-1])
    items = (own.items[own.by_user.indices] for own in _parts(work))
    write_long(work.out / "indices.npy", np.int32, total, (some[wanted[some]] for some in items))
    values = (weighing.of_users(own)[wanted[own.items[own.by_user.indices]]] for own in _parts(work))
    write_long(work.out / "data.npy", np.float32, total, values)
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
        return cls(mapped(work.inputs["known"], "lengths"), Weights(**work.arguments["weights"]))

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


def _sizes(own: UserRange, wanted: Bools) -> Longs:
    """How many of the wanted items, bool [m], each user has: int64 [n]."""
    n = own.by_user.shape[0]
    user = np.repeat(np.arange(n, dtype=np.int32), np.diff(own.by_user.indptr))
    return np.bincount(user[wanted[own.by_user.indices]], minlength=n)


def _rows(work: Work, first: int, last: int) -> Csr:
    """The weighted interactions of some items with all users, users ascending: [last - first, n_users].

    There are none of items whose neighbors are not looked for.
    """
    weighing, n_users = _Weighing.of(work), 0
    chosen: Bools = mapped(work.inputs["known"], "changed")[first:last] ^ work.arguments["others"]
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
    order = order[chosen[owner[order]]]
    indptr = np.concatenate(([0], np.cumsum(np.bincount(owner[order], minlength=last - first))))
    entries = np.concatenate(values)[order], np.concatenate(users)[order], indptr.astype(np.int32)
    return sparse.csr_array(entries, shape=(last - first, n_users))
