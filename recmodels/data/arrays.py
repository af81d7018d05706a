"""The array types that the models, their data and their lists are made of; the shape is said where one is used."""

from collections.abc import Iterator
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints: TypeAlias = NDArray[np.int32]
Longs: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Csr: TypeAlias = sparse.csr_array[np.float32]

READING_HEADER = Lock()
"""NumPy parses headers as Python code, at which threads disturb one another in Python 3.11 (a SystemError)."""

Truth: TypeAlias = sparse.csr_array[Any, tuple[int, int]]
"""The relevant items of some users, bool [n, n_items]: what they went on to interact with."""


def empty_matrix(n: int, m: int) -> Csr:
    """A sparse matrix [n, m] that stores nothing."""
    return sparse.csr_array((np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(n + 1, np.int32)), shape=(n, m))


def entries_of(matrix: Csr, there: Bools) -> Csr:
    """The matrix with some of its entries alone: `there` says of each whether it stays."""
    if there.all():
        return matrix
    ends = np.zeros(len(there) + 1, matrix.indptr.dtype)
    np.cumsum(there, out=ends[1:])
    return Csr((matrix.data[there], matrix.indices[there], ends[matrix.indptr]), shape=matrix.shape)


def row_lengths(indptr: NDArray[np.integer[Any]], rows: Ints) -> NDArray[np.integer[Any]]:
    """How many entries each of `rows` has; the time it takes does not depend on how many rows there are in all."""
    rows = np.asarray(rows)
    return indptr[rows + 1] - indptr[rows]


def chunks(sizes: NDArray[np.int64], budget: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose sizes add up to the budget at most, or of a single entry."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + budget, side="right")))
        yield start, stop
        start = stop


def read_only(columns: Any) -> Any:
    """A view of an array, or of each of several, that cannot be written to; None as it is."""
    if columns is None:
        return None
    if isinstance(columns, tuple):
        return tuple(read_only(column) for column in columns)
    view = columns.view()
    view.flags.writeable = False
    return view


def starts_of(user_index: Ints, n_users: int) -> Longs:
    """Where the rows of each user begin, and the last ones end: int64 [n_users + 1]; the users ascend."""
    users = np.arange(n_users + 1, dtype=user_index.dtype)  # of another type, it would copy the index
    return np.searchsorted(user_index, users).astype(np.int64)


def csr_of(user_index: Ints, item_index: Ints, weight: Floats, shape: tuple[int, int]) -> Csr:
    """Rows as a sparse matrix of the given shape, items ascending in each row; the users ascend."""
    starts = starts_of(user_index, shape[0])
    indptr = starts.astype(np.int32) if len(weight) < 2**31 else starts
    matrix: Csr = sparse.csr_array((weight, item_index, indptr), shape=shape, copy=True)
    matrix.sort_indices()
    return matrix
