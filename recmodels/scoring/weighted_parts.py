"""Interactions, weighted, by the parts of the data: for models of items whose training holds none of them.

Who trains reads what is counted of each item alone. A bucket puts all of them together where each node needs them, on
its disk: the histories of all users, or the rows of all items.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Doubles, Floats, Ints, Longs, chunks
from recmodels.data.dataset import Dataset
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import mapped, write_arrays, write_long
from recmodels.parted.data import UserRange, data_parts, user_range
from recmodels.parted.sums import groups, summed, write_sums
from recmodels.parted.training import PartedTraining
from recmodels.scoring.similarity import Weighting, idf_of, lengths_of, row_sums, weighted_values

ROW = 24  # bytes of what `measure_items` writes of an item
ENTRIES_AT_A_TIME = 2**22  # of the rows of items that are put together


@dataclass(frozen=True)
class Weights:
    """How interactions count.

    Attributes:
        weighting: see `recmodels.scoring.similarity`; by `powers` each is multiplied by powers of the sums of its
            user's and its item's.
        k1, b: of `bm25`.
        exponents: of `powers`, for users and items.
    """

    weighting: Weighting | Literal["powers"]
    k1: float = 1.2
    b: float = 0.75
    exponents: tuple[float, float] = (0.0, 0.0)

    def of_items(self, sums: Doubles) -> Floats:
        """What belongs to items with these sums of interactions: float32 [n]."""
        return powers_of(sums, self.exponents[1]) if self.weighting == "powers" else lengths_of(sums, self.k1, self.b)

    def of_users(self, by_user: Csr, n_items: int) -> Floats:
        """What belongs to users with these interactions, of so many items: float32 [n]."""
        if self.weighting == "powers":
            return powers_of(np.asarray(by_user.sum(axis=1)), self.exponents[0])
        return idf_of(np.diff(by_user.indptr), n_items)

    def values(self, values: Floats, of_user: Floats, of_item: Floats) -> Floats:
        """The weights of some entries [m], of which one knows what belongs to the user and to the item."""
        if self.weighting == "powers":
            return values * of_user * of_item
        return weighted_values(values, self.weighting, of_user, of_item, self.k1)


def powers_of(sums: NDArray[np.floating[Any]], exponent: float) -> Floats:
    """Powers of the sums, float32; 0 for those who have nothing."""
    sums = np.asarray(sums, np.float32)
    powers = np.zeros(len(sums), np.float32)
    np.power(sums, np.float32(exponent), out=powers, where=sums > 0)
    return powers


@dataclass(frozen=True, eq=False)
class WeightedParts:
    """The interactions of a training, weighted.

    Attributes:
        training: where the parts lie.
        data: of which they are.
        weights: how they are weighted.
        changed: the items that are to be learned, bool [n_items]; all of them, if nothing is kept of an earlier model.
    """

    training: PartedTraining
    data: Dataset
    weights: Weights
    changed: Bools

    @classmethod
    def of(cls, training: PartedTraining, data: Dataset, weights: Weights, changed: Bools | None = None) -> Self:
        return cls(training, data, weights, np.ones(data.n_items, np.bool_) if changed is None else changed)

    @cached_property
    def parts(self) -> list[Path]:
        """Of the data."""
        return data_parts(self.training, self.data)

    @cached_property
    def _known(self) -> Path:
        of_items = self.weights.of_items(self.data.item_weights)
        return self.training.keep("known", lambda: {"changed": self.changed, "of_items": of_items})

    def bucket(
        self,
        name: str,
        group: Sequence[int] | None = None,
        inputs: Mapping[str, Path] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Bucket:
        """A bucket that reads some of the parts, or all of them, by `Weighing`, and what else is given."""
        group = [*range(len(self.parts))] if group is None else group
        read = {"known": self._known} | {f"data-{part:04}": self.parts[part] for part in group}
        told = {"n_items": self.data.n_items, "weights": asdict(self.weights), "parts": group}
        return Bucket(name, {**read, **(inputs or {})}, {**told, **(arguments or {})})

    @cached_property
    def totals(self) -> Doubles:
        """Of each item: the products with all, those with items that have changed, and its sum of squares: [n, 3]."""
        buckets = [*map(self.bucket, map("{:04}".format, count()), groups(len(self.parts)))]
        totals: Doubles = summed(self.training, measure_items, buckets, "measured", self.data.n_items, ROW)
        return totals

    def by_user(self, step: str, *, changed: bool = False) -> Path:
        """The weighted histories of all users as a part [n_users, n_items]: of all items, or of the changed."""
        joined = self.bucket("0000", arguments={"changed": changed})
        return self.training.map(join_users, [joined], step, fetch=False)[0]

    def by_item(self, step: str) -> Path:
        """The weighted interactions of all items as a part [n_items, n_users]."""
        return self.training.map(join_items, [self.bucket("0000")], step, fetch=False)[0]


def measure_items(work: Work) -> None:
    """Of each item, by the users of some parts, what `WeightedParts.totals` has."""
    weighing, totals = Weighing.of(work), np.zeros((work.arguments["n_items"], 3))
    for own in weighing.parts():
        rows = weighing.of_items(own, 0, len(own.items))
        for column, sizes in enumerate((np.diff(own.by_user.indptr), _sizes(own, weighing.changed[own.items]))):
            totals[own.items, column] += row_sums(
                rows,
                lambda some, rows=rows, sizes=sizes: sizes[rows.indices[some]].astype(np.int64),  # type: ignore[misc]
            )
        totals[own.items, 2] += row_sums(rows, lambda some, rows=rows: rows.data[some].astype(np.float64) ** 2)  # type: ignore[misc]
    there = np.flatnonzero(totals[:, 0]).astype(np.int32)
    write_sums(work.out, there, totals[there], work.arguments["edges"])


def join_users(work: Work) -> None:
    """The weighted histories of all users, those of a part after those of another: a matrix [n_users, n_items].

    It is told whether it has those items alone that have `changed`.
    """
    weighing = Weighing.of(work)
    wanted = weighing.changed | (not work.arguments["changed"])
    sizes = [_sizes(own, wanted[own.items]) for own in weighing.parts()]
    indptr = np.concatenate(([0], np.cumsum(np.concatenate(sizes), dtype=np.int64)))
    total = int(indptr[-1])
    items = (own.items[own.by_user.indices] for own in weighing.parts())
    write_long(work.out / "indices.npy", np.int32, total, (some[wanted[some]] for some in items))
    values = (weighing.of_users(own).data[wanted[own.items[own.by_user.indices]]] for own in weighing.parts())
    write_long(work.out / "data.npy", np.float32, total, values)
    _write_rest(work, indptr, work.arguments["n_items"])


def join_items(work: Work) -> None:
    """The weighted interactions of all items, users ascending: a matrix [n_items, n_users]."""
    weighing, n_users = Weighing.of(work), 0
    sizes = np.zeros(work.arguments["n_items"], np.int64)
    for own in weighing.parts():
        sizes[own.items] += np.diff(own.by_item.indptr)
        n_users += own.by_user.shape[0]
    indptr = np.concatenate(([0], np.cumsum(sizes)))
    indices, data = (
        np.lib.format.open_memmap(work.out / f"{name}.npy", "w+", kind, (int(indptr[-1]),))
        for name, kind in (("indices", np.int32), ("data", np.float32))
    )
    for first, last in chunks(sizes, ENTRIES_AT_A_TIME):
        rows, some = weighing.rows(first, last), slice(indptr[first], indptr[last])
        indices[some], data[some] = rows.indices, rows.data
    _write_rest(work, indptr, n_users)


def _write_rest(work: Work, indptr: Longs, n_columns: int) -> None:
    shape = np.array([len(indptr) - 1, n_columns], np.int64)
    write_arrays(work.out, {"indptr": indptr.astype(np.int32) if indptr[-1] < 2**31 else indptr, "shape": shape})


@dataclass(frozen=True, eq=False)
class Weighing:
    """Weights interactions where a bucket is worked on, a part of the data at a time: as all at once would be weighted.

    Attributes:
        work: the bucket.
        weights: how they are weighted.
        of_item: what belongs to each item: float32 [n_items].
        changed: the items that are to be learned: bool [n_items].
    """

    work: Work
    weights: Weights
    of_item: Floats
    changed: Bools

    @classmethod
    def of(cls, work: Work) -> Self:
        known = work.inputs["known"]
        return cls(work, Weights(**work.arguments["weights"]), mapped(known, "of_items"), mapped(known, "changed"))

    def parts(self) -> Iterator[UserRange]:
        """The parts of the data that the bucket reads, in their order."""
        return (user_range(self.work.inputs[f"data-{number:04}"]) for number in self.work.arguments["parts"])

    def of_users(self, own: UserRange) -> Csr:
        """`own.by_user`, weighted."""
        rows = own.by_user
        of_user = np.repeat(self.weights.of_users(rows, len(self.of_item)), np.diff(rows.indptr))
        values = self.weights.values(rows.data, of_user, self.of_item[own.items[rows.indices]])
        return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)

    def of_items(self, own: UserRange, low: int, high: int) -> Csr:
        """Some rows of `own.by_item`, weighted."""
        rows: Csr = own.by_item[low:high]
        of_item = np.repeat(self.of_item[own.items[low:high]], np.diff(rows.indptr))
        values = self.weights.values(
            rows.data, self.weights.of_users(own.by_user, len(self.of_item))[rows.indices], of_item
        )
        return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)

    def rows(self, first: int, last: int) -> Csr:
        """The weighted interactions of some items with all users, users ascending: [last - first, n_users]."""
        n_users = 0
        owners, users, values = list[Ints](), list[Ints](), list[Floats]()
        for own in self.parts():
            low, high = np.searchsorted(own.items, [first, last]).tolist()
            rows = self.of_items(own, low, high)
            owners.append(np.repeat(own.items[low:high] - np.int32(first), np.diff(rows.indptr)))
            users.append(rows.indices + np.int32(n_users))
            values.append(rows.data)
            n_users += own.by_user.shape[0]
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")
        indptr = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=last - first))))
        entries = np.concatenate(values)[order], np.concatenate(users)[order], indptr.astype(np.int32)
        return sparse.csr_array(entries, shape=(last - first, n_users))


def _sizes(own: UserRange, wanted: Bools) -> Longs:
    """How many of the wanted items, bool [m], each user has: int64 [n]."""
    n = own.by_user.shape[0]
    user = np.repeat(np.arange(n, dtype=np.int32), np.diff(own.by_user.indptr))
    return np.bincount(user[wanted[own.by_user.indices]], minlength=n)
