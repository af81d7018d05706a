"""Of a site with several domains each user has a list from each, made as the mixed ones are."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recmodels.data.domains import Domains
from recmodels.published.reader import Export
from tasks.export.refilter import refilter
from tasks.export.settings import ExportSettings
from tasks.store.paths import Night
from tests.tasks.publishing import lists, prepare_night, publish, with_manifests

BOOKS = ("i0", "i2", "i4", "i6")


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Of the eight items four are books, and four films."""
    night = prepare_night(tmp_path)
    Domains(("books", "films"), np.arange(8, dtype=np.int32) % 2).write(night.prepared)
    with_manifests(night)
    return night


def by_domain(night: Night) -> list[dict[str, Any]]:
    return Export.latest(night.store.root).table("topk_by_domain").to_pylist()


def test_each_domain_has_the_items_of_a_long_mixed_list_in_their_order(night: Night) -> None:
    publish(night, k=8, similar=0)
    mixed = lists(night)
    publish(night, k=2, similar=0, fresh=True)
    rows = by_domain(night)
    assert [(row["user_id"], row["domain"], row["rank"]) for row in rows] == sorted(
        (row["user_id"], row["domain"], row["rank"]) for row in rows
    )
    for user, whole in mixed.items():
        for domain, is_book in ("books", True), ("films", False):
            mine = [row for row in rows if (row["user_id"], row["domain"]) == (user, domain)]
            of_domain = [row for row in whole if (row["item_id"] in BOOKS) is is_book][:2]
            assert [row["item_id"] for row in mine] == [row["item_id"] for row in of_domain]
            assert {row["model"] for row in mine} <= {"item_knn"} and {row["arm"] for row in mine} <= {"main"}


def test_they_can_be_left_out(night: Night) -> None:
    publish(night, domain_lists=False)
    assert not (night.store.export("2026-03-31") / "topk_by_domain").exists()


def test_between_nights_an_item_that_is_gone_is_gone_from_them(tmp_path: Path, night: Night) -> None:
    publish(night, k=2)
    assert any(row["item_id"] == "i6" for row in by_domain(night))
    now = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 6 for n in range(8)]})
    refilter(night.store, now, ExportSettings(), complete=True, max_gone_share=0.5, name="now.csv")
    other = prepare_night(tmp_path / "other")
    Domains(("books", "films"), np.arange(8, dtype=np.int32) % 2).write(other.prepared)
    items = pq.read_table(other.prepared / "items.parquet")
    there = pc.and_(items["available"], pc.not_equal(items["item_id"], "i6"))
    pq.write_table(
        items.set_column(items.column_names.index("available"), "available", there), other.prepared / "items.parquet"
    )
    publish(other, k=2)
    assert by_domain(night) == by_domain(other)
