"""Windows train on what began before them, and measure what was new to a user within them."""

import numpy as np

from recmodels.data.backtests import rolling_folds
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY


def site() -> Dataset:
    """User 0 has item 0 on day 1 and again on day 9, item 1 on day 2, item 2 on day 8; user 1 comes on day 8."""
    times = np.array([2, 8, 9, 8, 3]) * DAY
    return Dataset.from_arrays([0, 0, 0, 1, 2], [1, 2, 0, 2, 2], timestamp=times, end=10 * DAY)


FIRST = np.array([2, 8, 1, 8, 3]) * DAY


def test_an_item_of_the_history_is_trained_on_and_not_in_the_holdout() -> None:
    ((_, part),) = rolling_folds(site(), 1, 5, 0, cold_start=True, first=FIRST)
    assert part.users.tolist() == [0, 1]
    assert part.truth.toarray().astype(int).tolist() == [[0, 0, 1], [0, 0, 1]]
    rows = np.column_stack([part.train.user_index, part.train.item_index, part.train.timestamp]).tolist()
    assert [tuple(row) for row in rows] == [(0, 0, DAY), (0, 1, 2 * DAY), (2, 2, 3 * DAY)]


def test_without_first_times_a_pair_counts_at_its_last_and_cold_start_users_may_be_left_out() -> None:
    ((_, part),) = rolling_folds(site(), 1, 5, 0, cold_start=False)
    assert part.users.tolist() == [0]
    assert part.truth.toarray().astype(int).tolist() == [[1, 0, 1]]
    assert [window for window, _ in rolling_folds(site(), 4, 2.5, 0, cold_start=True)] == [0, 2]
