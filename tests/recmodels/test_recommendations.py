"""Lists under the data's own ids."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.persistence import load, save
from recmodels.popularity import Popularity

LOG = pd.DataFrame(
    {
        "customer": ["ann", "ann", "bob", "bob", "cem", "cem", "dot"],
        "sku": ["x", "y", "x", "y", "y", "z", "x"],
        "ts": range(7),
    }
)
DATA = Dataset.from_pandas(LOG, user="customer", item="sku", time="ts")


def plain(data: Dataset) -> Dataset:
    """The same under indices."""
    return Dataset.from_arrays(data.user_index, data.item_index, timestamp=data.timestamp)


def test_users_items_and_reasons_are_the_sites_own() -> None:
    frame = ItemKNN().fit(DATA).recommend(DATA, users=["dot", "ann"], k=2).to_pandas()
    assert list(frame.columns) == ["user", "rank", "item", "score", "reason"]
    assert frame[["user", "rank", "item", "reason"]].values.tolist() == [["dot", 1, "y", "x"], ["ann", 1, "z", "y"]]
    assert (frame["score"] > 0).all()


def test_lists_are_those_of_the_indices() -> None:
    model = EASE(regularization=1.0)
    by_id = model.fit(DATA).recommend(DATA, k=3)
    by_index = model.fit(plain(DATA)).recommend(plain(DATA), np.arange(4), 3)
    assert np.array_equal(by_id.items, by_index.items) and np.array_equal(by_id.scores, by_index.scores)
    assert by_index.to_pandas()["item"].tolist() == by_id.items[by_id.items >= 0].tolist()


def test_a_model_without_reasons_names_none() -> None:
    frame = Popularity().fit(DATA).recommend(DATA, ["dot"], 1).to_pandas()
    assert frame["item"].tolist() == ["y"] and frame["reason"].isna().all()
    assert "reason" not in Popularity().fit(DATA).recommend(DATA, ["dot"], 1).to_pandas(explain=False)


def test_reasons_that_are_numbers_stay_whole_where_some_are_missing() -> None:
    data = Dataset.from_pandas(LOG.assign(sku=LOG["sku"].map({"x": 1, "y": 2, "z": 3})), user="customer", item="sku")
    frame = ItemKNN().fit(data).recommend(data, ["dot"], 1).to_pandas()
    assert frame["reason"].dtype == "Int64" and frame["reason"].tolist() == [1]


def test_similar_items_have_names() -> None:
    frame = ItemKNN().fit(DATA).similar_items(["z"], k=1).to_pandas()
    assert frame[["item", "rank", "similar_item"]].values.tolist() == [["z", 1, "y"]]


def test_unknown_ids_are_named() -> None:
    model = ItemKNN().fit(DATA)
    with pytest.raises(ValueError, match="There is no user 'eve' in the data, which have 4 users"):
        model.recommend(DATA, ["ann", "eve"])
    with pytest.raises(ValueError, match="There is no item 'w'"):
        model.similar_items(["w"])
    with pytest.raises(ValueError, match=r"Give a list of user ids, as in \['ann'\]"):
        model.recommend(DATA, "ann")


def test_a_loaded_model_knows_its_items_and_takes_no_others(tmp_path: Path) -> None:
    model = EASE(regularization=1.0).fit(DATA)
    save(model, tmp_path)
    again = load(tmp_path)
    expected = model.recommend(DATA, ["dot"], 2).to_pandas()
    pd.testing.assert_frame_equal(again.recommend(DATA, ["dot"], 2).to_pandas(), expected)
    renamed = Dataset.from_pandas(LOG.assign(sku=LOG["sku"] + "!"), user="customer", item="sku")
    with pytest.raises(ValueError, match=r"item_ids=model\.item_ids_"):
        again.recommend(renamed)
    new = pd.DataFrame({"customer": ["eve"], "sku": ["x"]})
    later = Dataset.from_pandas(new, user="customer", item="sku", item_ids=again.item_ids_)
    assert again.recommend(later, ["eve"], 1).to_pandas()["item"].tolist() == ["y"]
