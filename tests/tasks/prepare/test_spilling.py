"""Ranges have about as many rows as each other, and none is empty."""

import numpy as np
import pytest

from tasks.prepare.spilling import range_bounds


@pytest.mark.parametrize(
    ("rows", "n", "bounds"),
    [
        ([1, 1, 1, 1], 2, [2]),
        ([1, 1, 1, 1, 1, 1], 3, [2, 4]),
        ([0, 5, 0, 5, 0], 2, [2]),
        ([9, 1, 1, 1], 3, [1]),  # one user has most
        ([1, 1, 9], 3, []),
        ([0, 0, 4, 0], 4, []),  # one user has all
        ([1, 1], 7, [1]),
    ],
)
def test_users_are_parted_by_their_rows(rows: list[int], n: int, bounds: list[int]) -> None:
    assert range_bounds(np.array(rows), n).tolist() == bounds
