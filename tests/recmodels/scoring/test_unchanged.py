"""Rows of an earlier matrix of items by items: which are kept, and where they stand now."""

import numpy as np
from scipy import sparse

from recmodels.options import WarmStart
from recmodels.scoring.unchanged import kept_rows


def test_rows_are_kept_of_items_that_have_hardly_changed_and_renumbered() -> None:
    earlier = sparse.csr_array(np.array([[0, 1, 2, 3], [4, 0, 5, 0], [6, 7, 0, 8], [9, 0, 10, 0]], np.float32))
    start = WarmStart(None, {"items": np.array([2, -1, 0, 3], np.int32)})  # today's 1 is new, item 1 of then is gone
    weights, today = (np.array(weights, np.float32) for weights in ([100, 50, 10, 100], [12, 3, 110, 89]))
    kept = kept_rows(start, earlier, weights, today, most=0.1)
    assert kept.changed.tolist() == [True, True, False, True]  # 10 -> 12; new; 100 -> 110; 100 -> 89
    assert kept.rows.toarray().tolist() == [[0] * 4, [0] * 4, [2, 0, 0, 3], [0] * 4]
    assert kept.weights.tolist() == [12, 3, 100, 89]


def test_entries_ascend_where_items_have_changed_places() -> None:
    earlier = sparse.csr_array(np.array([[0, 1, 2], [3, 0, 0], [4, 0, 0]], np.float32))
    start, ones = WarmStart(None, {"items": np.array([0, 2, 1], np.int32)}), np.ones(3, np.float32)
    kept = kept_rows(start, earlier, ones, ones, most=0.1)
    assert kept.rows.toarray().tolist() == [[0, 2, 1], [4, 0, 0], [3, 0, 0]]
    assert kept.rows.indices.tolist() == [1, 2, 0, 0]


def test_an_item_that_was_not_learned_is_learned() -> None:
    start = WarmStart(None, {"items": np.arange(2, dtype=np.int32)})
    kept = kept_rows(
        start, sparse.csr_array((2, 2), dtype=np.float32), np.float32([0, 5]), np.float32([0, 5]), most=0.5
    )
    assert kept.changed.tolist() == [True, False]
