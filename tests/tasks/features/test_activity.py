"""What interactions say of the items that they are with."""

import numpy as np

from tasks.features.activity import Activity

TIMES = np.array([7, 5, 9, 100])


def test_counts_and_times_become_features() -> None:
    activity = Activity.none(3)
    activity.add(np.array([0, 0, 2, 0], np.int32), TIMES)
    day = 86_400_000_000
    rows = activity.table("item_index", 100 + day, {"price": [1, 2, 3]}).to_pylist()
    assert [row["interactions"] for row in rows] == [3, 0, 1]
    assert [row["popularity"] for row in rows] == [0.75, 0, 0.25]
    assert (rows[0]["recency_days"], rows[1]["recency_days"], rows[1]["age_days"]) == (1, None, None)
    assert rows[0]["age_days"] == np.float32((95 + day) / day)
    assert [row["price"] for row in rows] == [1, 2, 3]


def test_what_is_added_apart_comes_to_what_is_added_at_once() -> None:
    at_once, merged = Activity.none(4), Activity.none(4)
    row = np.array([1, 3, 1, 3], np.int32)
    at_once.add(row, TIMES)
    for half in slice(0, 2), slice(2, 4):
        some = Activity.none(4)
        some.add(row[half], TIMES[half])
        merged.merge(np.array([3, 1]), some.take(np.array([3, 1])))
    assert (merged.count.tolist(), merged.known.tolist()) == ([0, 2, 0, 2], [False, True, False, True])
    for name in "count", "first", "last":
        np.testing.assert_array_equal(getattr(merged, name), getattr(at_once, name))
