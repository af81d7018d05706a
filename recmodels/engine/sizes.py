"""How many buckets some work has: by the size of the data alone, so that its parts are the same on any machine."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 2**21
"""Of a bucket, more or less: some seconds of work, some tens of megabytes."""
MOST = 1024
"""Buckets of one work."""


def bucket_count(rows: int, rows_each: int = ROWS) -> int:
    """The number of buckets that so many rows are divided into, at least one."""
    return int(min(max(-(-rows // rows_each), 1), MOST))


def ranges(indptr: NDArray[Any], count: int) -> list[tuple[int, int]]:
    """Divide users (or items) into ranges with about as many rows each; none is empty.

    Args:
        indptr: where the rows of each begin, and where the last one's end; shape [n + 1].
        count: how many ranges there are at most.

    Returns:
        First user, and the one after the last, of each range, in order; together they are all users.
    """
    n, rows = len(indptr) - 1, int(indptr[-1] - indptr[0])
    if rows == 0:
        return [(0, n)] if n else []
    wanted = indptr[0] + np.arange(1, count) * (rows / count)
    inner = np.searchsorted(indptr, wanted)
    edges = np.unique(np.concatenate([[0], inner, [n]])).tolist()
    return list(pairwise(edges))
