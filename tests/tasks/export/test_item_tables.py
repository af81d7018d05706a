"""Similar and popular items, as they are published."""

from pathlib import Path

import pytest

from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.persistence import save
from recmodels.popularity import Popularity
from recmodels.published.reader import Export
from tasks.store.paths import Night
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def similar(night: Night) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in Export.latest(night.store.root).table("similar").to_pylist():
        found.setdefault(row["item_id"], []).append((row["similar_item_id"], row["score"]))
    return found


def test_similar_items_are_the_models_own_best_on_offer_first(night: Night) -> None:
    """Cosines of the items' columns of users: i0 has {0, 1, 3, 4}, i1 {0, 1, 2, 4}, i2 {0, 2, 3, 4}, i5 {1}."""
    save(ItemKNN(weighting="cosine", popularity_power=0.5).fit(Dataset.load(night.features, "full")), night.champion)
    publish(night, similar=2)
    found = similar(night)
    assert found["i0"] == [("i1", 0.75), ("i2", 0.75)]
    assert found["i5"] == [("i0", 0.5), ("i1", 0.5)]  # not on offer, but what is like it may be asked for
    assert "i5" not in {shown for rows in found.values() for shown, _ in rows}
    rows = Export.latest(night.store.root).table("similar").to_pylist()
    assert {row["model"] for row in rows} == {"item_knn"} and {row["rank"] for row in rows} == {1, 2}


def test_similar_items_are_those_of_item_knn_where_the_champion_has_none(night: Night) -> None:
    publish(night, similar=2)
    expected = similar(night)
    save(Popularity().fit(Dataset.load(night.features, "full")), night.champion)
    assert publish(night, similar=2, fresh=True)["export_id"] == f"{RUN_DATE}.2"
    assert similar(night) == expected


def test_a_site_may_do_without_similar_items(night: Night) -> None:
    manifest = publish(night, similar=0)
    assert list(manifest["schema"]) == ["topk", "listed", "popular"]
    assert not (night.store.export(manifest["export_id"]) / "similar").exists()


def test_popular_items_of_the_last_days(night: Night) -> None:
    """Interactions are 30 - user - item / 10 days old: user 4's are the latest, from 26 days (i0) to 25.3 (i7)."""
    publish(night, popular_days=[26])
    rows = [r for r in Export.latest(night.store.root).table("popular").to_pylist() if r["category"] is None]
    tops = {name: [(r["item_id"], r["score"]) for r in rows if r["window"] == name] for name in ("all", "26d")}
    assert tops == {"all": [("i0", 4), ("i1", 4), ("i2", 4)], "26d": [("i0", 1), ("i1", 1), ("i2", 1)]}
    assert [row["window"] for row in rows] == ["all"] * 3 + ["26d"] * 3


def test_popular_is_overall_and_by_category_without_what_is_not_available(night: Night) -> None:
    publish(night)
    rows = Export.latest(night.store.root).table("popular").to_pylist()
    tops = {name: [row["item_id"] for row in rows if row["category"] == name] for name in (None, "x", "y")}
    assert tops == {None: ["i0", "i1", "i2"], "x": ["i0", "i2", "i4"], "y": ["i1", "i3"]}
    assert [row["rank"] for row in rows] == [1, 2, 3, 1, 2, 3, 1, 2]
