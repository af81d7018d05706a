"""The share of the lists that is new to the readers of the last export."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.compare.churn import churn
from tasks.store.paths import Night, Store
from tests.tasks.exported import with_manifest


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Two measured users; both had the items a and b in the last export, in which c did not exist yet."""
    night = Store(tmp_path).night(date(2026, 3, 31))
    export, lists = night.store.export("2026-03-30") / "topk", night.toplists("ease")
    for folder in (night.prepared, export, lists):
        folder.mkdir(parents=True)
    pq.write_table(pa.table({"user_index": pa.array([0, 2], pa.int32())}), night.prepared / "holdout.parquet")
    pq.write_table(pa.table({"user_id": ["ann", "bob", "cy"]}), night.prepared / "users.parquet")
    pq.write_table(pa.table({"item_id": ["a", "b", "c"]}), night.prepared / "items.parquet")
    before = {"user_id": ["ann", "ann", "cy", "cy"], "item_id": ["a", "b", "b", "a"], "rank": [1, 2, 1, 2]}
    pq.write_table(pa.table(before), export / "part-00000.parquet")
    with_manifest(night.store, "2026-03-30")
    tonight = {"user_index": [0, 0, 2, 2], "rank": [1, 2, 1, 2], "item_index": [1, 2, 0, 1]}
    pq.write_table(pa.table(tonight), lists / "lists.parquet")
    return night


def test_a_place_counts_whose_item_was_not_in_the_list_whatever_its_rank(night: Night) -> None:
    assert churn(night, "2026-03-30", ["ease"], 2) == {"ease": 1 / 4}  # c is new to ann, and nothing is to cy
    assert churn(night, "2026-03-30", ["ease"], 1) == {"ease": 1.0}


def test_without_the_export_or_with_other_ids_nothing_is_said(night: Night) -> None:
    assert churn(night, "2026-03-29", ["ease"], 2) == {}
    pq.write_table(pa.table({"user_id": [1, 2, 3]}), night.prepared / "users.parquet")
    assert churn(night, "2026-03-30", ["ease"], 2) == {}
