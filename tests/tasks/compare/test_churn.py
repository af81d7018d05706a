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


def test_an_export_of_shorter_lists_is_compared_with_as_many_places(night: Night) -> None:
    folder = night.store.export("2026-03-30") / "topk"
    pq.write_table(pq.read_table(folder, filters=[("rank", "=", 1)]), folder / "part-00000.parquet")
    with_manifest(night.store, "2026-03-30", k=1)
    tonight = {"user_index": [0, 0, 2, 2], "rank": [1, 2, 1, 2], "item_index": [0, 1, 2, 1]}
    pq.write_table(pa.table(tonight), night.toplists("ease") / "lists.parquet")
    assert churn(night, "2026-03-30", ["ease"], 2) == {"ease": 1 / 2}  # ann has a first again, cy another one


def test_items_whose_ids_have_become_texts_are_others(night: Night) -> None:
    folder = night.store.export("2026-03-30") / "topk"
    table = pq.read_table(folder)
    pq.write_table(table.set_column(1, "item_id", pa.array([1, 2, 2, 1])), folder / "part-00000.parquet")
    with_manifest(night.store, "2026-03-30")
    assert churn(night, "2026-03-30", ["ease"], 2) == {}


def test_without_the_export_or_with_other_ids_nothing_is_said(night: Night) -> None:
    assert churn(night, "2026-03-29", ["ease"], 2) == {}
    pq.write_table(pa.table({"user_id": [1, 2, 3]}), night.prepared / "users.parquet")
    assert churn(night, "2026-03-30", ["ease"], 2) == {}
