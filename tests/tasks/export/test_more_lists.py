"""Each user has a list from each domain, and in each context that counts, made as the main ones are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.errors import ConfigError
from recmodels.knn.item_knn import ItemKNN
from recmodels.popularity import Popularity
from recmodels.published.reader import Export
from tasks.export.refilter import refilter
from tasks.export.settings import ExportSettings
from tasks.lookup.lists import list_of
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


@pytest.mark.slow
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


@pytest.fixture
def contexts(night: Night) -> Iterator[Night]:
    """The winner's lists are popular items on Sundays."""
    popular = Popularity().fit(Dataset.load(night.features, "full"))
    with patch.object(ItemKNN, "in_contexts", lambda model: {"Friday": model, "Sunday": popular}):
        yield night


def test_each_context_has_the_lists_of_the_model_for_it(contexts: Night) -> None:
    publish(contexts, k=2)
    export = Export.latest(contexts.store.root)
    rows, main = export.table("topk_by_context").to_pylist(), export.table("topk").to_pylist()
    assert [tuple(row[name] for name in ("user_id", "context", "rank")) for row in rows] == sorted(
        tuple(row[name] for name in ("user_id", "context", "rank")) for row in rows
    )
    assert [row for row in rows if row["context"] == "Friday"] == [
        {name: {"context": "Friday"}.get(name, row.get(name)) for name in rows[0]} for row in main
    ]
    data = Dataset.load(contexts.features, "full")
    items = pq.read_table(contexts.prepared / "items.parquet")
    listed = Popularity().fit(data).recommend(data, k=2, allowed=items["available"].to_numpy()).items
    users = pq.read_table(contexts.prepared / "users.parquet")["user_id"].to_pylist()
    expected = {
        (user, rank): items["item_id"][item].as_py()
        for user, row in zip(users, listed.tolist(), strict=True)
        for rank, item in enumerate(row, start=1)
        if item >= 0
    }
    assert {(row["user_id"], row["rank"]): row["item_id"] for row in rows if row["context"] == "Sunday"} == expected
    user = str(main[0]["user_id"])
    store = contexts.store.root
    assert [row["item_id"] for row in list_of(store, user, context="Friday")] == [
        row["item_id"] for row in list_of(store, user)
    ]
    with pytest.raises(ConfigError, match="There is no context 'Monday' in the user's lists: there are Friday, Sunday"):
        list_of(store, user, context="Monday")
    with pytest.raises(ConfigError, match="name one of the two"):
        list_of(store, user, context="Friday", domain="books")


@pytest.mark.slow
def test_an_item_that_is_gone_is_gone_from_the_lists_in_contexts(contexts: Night) -> None:
    publish(contexts, k=2)
    now = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 6 for n in range(8)]})
    refilter(
        contexts.store, now, ExportSettings(context_lists=False), complete=True, max_gone_share=0.5, name="now.csv"
    )
    rows = Export.latest(contexts.store.root).table("topk_by_context").to_pylist()
    assert {row["context"] for row in rows} == {"Friday", "Sunday"} and "i6" not in {row["item_id"] for row in rows}
    publish(contexts, k=2, context_lists=False, fresh=True)
    assert not (Export.latest(contexts.store.root).folder / "topk_by_context").exists()
