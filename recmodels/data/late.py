"""A split that holds its matrix; the rest is read from the files of the split when somebody asks for it."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Csr, Doubles, Floats, Ints, Longs, csr_of, entries_of, read_only
from recmodels.data.dataset import ROWS_AT_A_TIME, Dataset, LateTimes
from recmodels.data.rows import rated_rows


class LateRows(LateTimes):
    """A split that holds its matrix: many models train on that alone, which takes 8 bytes a pair, and all columns 28.

    What is counted follows from the matrix. Columns, ratings and what is seen are read when they are asked for.
    """

    @classmethod
    def holding(cls, matrix: Csr, data: Dataset) -> Self:
        """The same split as `data`, which was read from files; of its rows, those attributes stay that it maps.

        Args:
            matrix: its weights.
            data: the split.
        """
        late = cls.__new__(cls)
        vars(late).update(vars(data), matrix=matrix)
        return late

    @classmethod
    def without_rows(cls, data: Dataset) -> Self:
        """The same split as `data`, which was read from files, without what can be read again."""
        late = cls.holding(trained_entries(data), data)
        for name in ("user_index", "item_index", "weight", "rating", "rated", "seen"):
            del vars(late)[name]
        return late

    @property
    def _counts(self) -> Csr | None:
        """What is counted; None in data made from these, which hold columns of their own."""
        return vars(self).get("matrix") if "_pairs" in vars(self) else None

    def __len__(self) -> int:
        return super().__len__() if self._counts is None else int(self._counts.nnz)

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[list[NDArray[Any]]]:
        """Columns of the interactions, so many rows at a time; what is read for them is not kept."""
        own = self if self._counts is None else self.holding(self._counts, self)
        yield from super(LateRows, own).pieces(names, rows)

    @cached_property
    def indptr(self) -> Longs:
        return super().indptr if self._counts is None else self._counts.indptr.astype(np.int64)

    @cached_property
    def item_counts(self) -> Longs:
        if self._counts is None:
            return super().item_counts
        counts = np.zeros(self.n_items, np.int64)
        for start in range(0, len(self), ROWS_AT_A_TIME):
            counts += np.bincount(self._counts.indices[start : start + ROWS_AT_A_TIME], minlength=self.n_items)
        return counts

    @cached_property
    def item_weights(self) -> Doubles:
        if self._counts is None:
            return super().item_weights
        weights = np.zeros(self.n_items)
        for start in range(0, len(self), ROWS_AT_A_TIME):
            some = slice(start, start + ROWS_AT_A_TIME)
            weights += np.bincount(self._counts.indices[some], self._counts.data[some], self.n_items)
        return weights

    @cached_property
    def total_weight(self) -> float:
        return super().total_weight if self._counts is None else float(self._counts.data.sum(dtype=np.float64))

    @cached_property
    def user_index(self) -> Ints:
        users = np.arange(self.n_users, dtype=np.int32)
        index: Ints = np.repeat(users, np.diff(self.matrix.indptr))
        index.flags.writeable = False
        return index

    @cached_property
    def item_index(self) -> Ints:
        return self._trained("item_index")

    @cached_property
    def weight(self) -> Floats:
        return self._trained("weight")

    @cached_property
    def rating(self) -> Floats | None:
        return self._trained("rating") if "rating" in self._pairs.names else None

    @cached_property
    def rated(self) -> tuple[Ints, Ints, Floats] | None:
        if "rating" not in self._pairs.names:
            return None
        table = self._pairs.columns(["user_index", "item_index", "rating"], self._users)
        rated: tuple[Ints, Ints, Floats] | None = read_only(rated_rows(str(self._pairs.file), **table))
        return rated

    @cached_property
    def seen(self) -> Csr:
        table = self._pairs.columns(["user_index", "item_index", "weight"], self._users)
        return csr_of(**table, shape=(self.n_users, self.n_items))


def trained_entries(data: Dataset) -> Csr:
    """The matrix of a split as it was read: what is seen, without the pairs that are excluded from training."""
    seen = data.seen
    if len(data) == seen.nnz:
        return seen
    return entries_of(seen, seen.data > 0)
