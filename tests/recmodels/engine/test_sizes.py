"""The number of buckets, and what each is of."""

import numpy as np
import pytest

from recmodels.engine.sizes import MOST, ROWS, bucket_count, ranges


@pytest.mark.parametrize(
    ("rows", "count"), [(0, 1), (1, 1), (ROWS, 1), (ROWS + 1, 2), (100 * ROWS, 100), (10**10, MOST)]
)
def test_there_is_a_bucket_for_so_many_rows(rows: int, count: int) -> None:
    assert bucket_count(rows) == count


def test_ranges_have_about_as_many_rows_each() -> None:
    rng = np.random.default_rng(1)
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 20, 10_000))])
    found = ranges(indptr, 7)
    assert (found[0][0], found[-1][1], len(found)) == (0, 10_000, 7)
    assert [end for _, end in found[:-1]] == [begin for begin, _ in found[1:]]
    rows = [indptr[end] - indptr[begin] for begin, end in found]
    assert max(rows) - min(rows) <= 2 * 20


@pytest.mark.parametrize(
    ("lengths", "count", "expected"),
    [
        ([], 3, []),
        ([0, 0], 3, [(0, 2)]),
        ([1, 1], 5, [(0, 1), (1, 2)]),
        ([100, 1, 1], 3, [(0, 1), (1, 3)]),
        ([1, 1, 100], 3, [(0, 3)]),
        ([2, 2, 2, 2], 2, [(0, 2), (2, 4)]),
    ],
)
def test_no_range_is_empty(lengths: list[int], count: int, expected: list[tuple[int, int]]) -> None:
    assert ranges(np.concatenate([[0], np.cumsum(lengths)]), count) == expected
