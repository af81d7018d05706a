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
