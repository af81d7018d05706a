"""Who and what belongs to a slice, and what is measured there."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.evaluate.slices import figures, item_slices, note_missing, recall_of, user_slices
from tasks.train.settings import EvaluationSettings


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Four users with 0, 3, 5 and 30 items; five items with 5, 3, 1, 1 and 0 users."""
    users = pa.table({"user_index": range(4), "country": ["DE", "FR", None, "DE"]})
    items = pa.table({"item_index": range(5), "category": ["a", "b", "a", None, "b"]})
    activity = {"interactions": [0, 3, 5, 30], "age_days": pa.array([None, 28, 29, 90], pa.float32())}
    pq.write_table(users, tmp_path / "users.parquet")
    pq.write_table(items, tmp_path / "items.parquet")
    pq.write_table(pa.table(activity), tmp_path / "user_features.parquet")
    pq.write_table(pa.table({"interactions": [5, 3, 1, 1, 0]}), tmp_path / "item_features.parquet")
    return tmp_path


def members(slices: dict[str, np.ndarray]) -> dict[str, list[int]]:
    return {name: np.flatnonzero(mask).tolist() for name, mask in slices.items()}


def test_users_by_history_newness_and_any_column(features: Path) -> None:
    slices = user_slices(features, features, np.array([0, 1, 3]), EvaluationSettings(slices=["country", "category"]))
    assert members(slices) == {
        "history:none": [0], "history:1-4": [1], "history:20+": [2],
        "newness:new": [0, 1], "newness:established": [2], "country:DE": [0, 2], "country:FR": [1],
    }  # fmt: skip


def test_a_column_that_nobody_has_is_named(features: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        note_missing(features, EvaluationSettings(slices=["country", "region", "category"]))
        note_missing(features, EvaluationSettings(slices=["country"]))
    assert [line.getMessage().partition(" with")[0] for line in caplog.records] == [
        "evaluation.slices: neither the users nor the items have the column 'region'"
    ]


def test_items_by_popularity_and_category(features: Path) -> None:
    # Before each item come 0, 5, 8, 9 and 10 of the 10 interactions.
    assert members(item_slices(features, features, EvaluationSettings())) == {
        "items:head": [0], "items:middle": [1], "items:tail": [2, 3, 4], "category:a": [0, 2], "category:b": [1, 4],
    }  # fmt: skip


def test_the_most_frequent_values_are_slices_and_the_others_one(features: Path) -> None:
    """Value 0 occurs twice, 1 to 21 once each: those that come last as texts are the others; nulls are in no slice."""
    values = [None, *range(22), 0, None]
    pq.write_table(pa.table({"item_index": range(len(values)), "size": values}), features / "items.parquet")
    pq.write_table(pa.table({"interactions": [1] * len(values)}), features / "item_features.parquet")
    slices = members(item_slices(features, features, EvaluationSettings(slices=["size"])))
    sizes = {name: rows for name, rows in slices.items() if name.startswith("size:")}
    assert list(sizes)[:4] == ["size:0", "size:1", "size:10", "size:11"]
    assert sizes["size:0"] == [1, 23] and sizes["size:7"] == [8]
    assert len(sizes) == 21 and sizes["size:(others)"] == [9, 10]


def test_recall_of_some_items_counts_the_users_with_one_in_the_holdout() -> None:
    row, item = np.array([0, 0, 0, 1, 2]), np.array([2, 3, 4, 0, 4], np.int32)
    tail, found = np.array([False, False, True, True, True]), np.array([True, False, True, True, False])
    recall = recall_of(tail, row, item, found, 3)
    assert recall[0] == pytest.approx(2 / 3)
    assert math.isnan(recall[1])
    assert recall[2] == 0
    (figure,) = figures("items:tail", {"recall": recall}, seed=0, level=0.95)
    assert (figure.users, figure.value) == (2, pytest.approx(1 / 3))
    assert figure.low is not None and figure.high is not None
    assert figure.low <= figure.value <= figure.high
