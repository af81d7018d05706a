"""What is held out, and what remains for training."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.folds import fold, last_days, last_items, latest
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY


def test_the_last_days_are_the_holdout_and_only_users_with_a_history_are_evaluated() -> None:
    data = Dataset.from_arrays(
        [0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 3, 1], timestamp=np.array([0, 8, 9, 1, 2, 9]) * DAY, end=10 * DAY
    )
    held = last_days(data, 2, 100)
    assert held.train.end == 8 * DAY and len(held.train) == 3
    assert held.train.matrix.toarray().tolist() == [[1, 0, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]]
    assert held.users.tolist() == [0]  # user 1 did nothing, user 2 had no history
    assert held.truth.toarray().tolist() == [[False, True, True, False]]


def test_the_holdout_of_last_items_is_a_fifth_of_each_user_but_never_everything() -> None:
    data = Dataset.from_arrays([0] * 6 + [1] * 2 + [2], [*range(6), 0, 1, 0], timestamp=np.arange(9))
    held = last_items(data, 0.2, 100)
    assert held.users.tolist() == [0, 1]
    assert [row.nonzero()[0].tolist() for row in held.truth.toarray()] == [[4, 5], [1]]
    assert held.train.user_index.tolist() == [0] * 4 + [1, 2]


def test_pairs_excluded_from_training_stay_seen() -> None:
    data = Dataset.from_arrays([0, 0, 0], [0, 1, 2], timestamp=np.array([0, 5, 9]) * DAY, weight=[1, 0, 1])
    held = last_days(data, 2, 100)
    assert held.train.seen.indices.tolist() == [0, 1] and held.train.matrix.indices.tolist() == [0]
    assert held.truth.toarray().tolist() == [[False, False, True]]


def test_the_shortest_holdout_that_measures_enough_users_is_taken() -> None:
    users = np.repeat(np.arange(50), 3)
    # A history for all; 10 users come back in the last week, 20 more in the one before.
    times = np.tile(np.array([0, 1, 2]), 50)
    times[2:30:3], times[32:90:3] = 99, 90
    data = Dataset.from_arrays(users, np.tile([0, 1, 2], 50), timestamp=times * DAY, end=100 * DAY)
    assert len(latest(data, 10, 100).users) == 10
    assert len(latest(data, 30, 100).users) == len(latest(data, 40, 100).users) == 30
    assert len(latest(data, 200, 100).users) == 50  # too few in any days: each user's last item


def test_not_more_users_than_asked_for_are_drawn_by_seed() -> None:
    data = Dataset.from_arrays(np.repeat(np.arange(30), 2), np.tile([0, 1], 30))
    first, again, other = (last_items(data, 0.2, 5, seed) for seed in (1, 1, 2))
    assert len(first.users) == 5 == first.truth.shape[0] == first.truth.nnz
    assert first.users.tolist() == again.users.tolist() != other.users.tolist()


def test_rows_in_neither_training_nor_holdout_are_unknown() -> None:
    data = Dataset.from_arrays([0, 0, 0], [0, 1, 2], timestamp=[1, 2, 3], rating=[1.0, 2.0, 3.0])
    first, second = np.array([True, False, False]), np.array([False, True, False])
    part = fold(data, first, second, 2, 10)
    assert part.train.seen.nnz == 1 and part.train.ratings is not None
    assert part.train.ratings.toarray()[0].tolist() == pytest.approx([1, 0, 0])
