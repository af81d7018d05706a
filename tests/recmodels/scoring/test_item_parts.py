"""Neighbors of items by the parts of the data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED, interactions_file
from recmodels.data.stored import StoredDataset
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.linear.graph_filter import GraphFilter
from recmodels.options import FitOptions, WarmStart
from recmodels.parted import sums
from recmodels.scoring import item_parts, weighted_parts
from recmodels.testing import N_ITEMS, N_USERS, small_site

pytestmark = pytest.mark.slow


def assert_same(found: ItemKNN, expected: ItemKNN) -> None:
    for name in ("indptr", "indices"):
        np.testing.assert_array_equal(getattr(found.similarity_, name), getattr(expected.similarity_, name))
    np.testing.assert_allclose(found.similarity_.data, expected.similarity_.data, rtol=1e-6)
    np.testing.assert_array_equal(found.item_weights_, expected.item_weights_)


@pytest.mark.parametrize("weighting", ["jaccard", "tfidf", "bm25"])
def test_neighbors_are_those_of_one_piece(
    in_parts: FitOptions, weighting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "SUMMED", 3)  # several parts in a bucket
    site = small_site()
    weight = np.random.default_rng(7).integers(1, 4, len(site))
    data = Dataset.from_arrays(site.user_index, site.item_index, weight=weight, n_users=N_USERS, n_items=N_ITEMS)
    model = {"weighting": weighting, "neighbors": 7, "shrinkage": 0.5}
    assert_same(ItemKNN(**model).fit(data, in_parts), ItemKNN(**model).fit(data))


MODELS = [ItemKNN(), EASE(method="exact"), EASE(method="approximate", neighbors=5), GraphFilter(rank=4, neighbors=5)]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_their_memory_does_not_grow_with_the_interactions_where_an_engine_is_asked_for(model: Recommender) -> None:
    def growth() -> int:
        less, more = (model.process_memory(10**6, 1000, n) for n in (10**8, 10**9))
        return more - less

    assert growth() > 10**10
    with using(LocalEngine()):
        assert growth() == 0
        assert ItemKNN(weighting="pearson").process_memory(10**6, 1000, 10**9) > 10**10  # which is not in parts


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_rows_on_the_disk_are_read_by_buckets_alone(features: Path, in_parts: FitOptions, model: Recommender) -> None:
    path = features / PREPARED / interactions_file("train")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns({"rating"} & {*table.column_names}), path)
    whole, data = Dataset.load(features, "train"), StoredDataset.opened(features, "train")
    expected, everybody = replace(model).fit(whole), np.arange(whole.n_users, dtype=np.int32)
    found = replace(model).fit(data, in_parts)
    assert data.on_disk
    np.testing.assert_allclose(found._score(whole, everybody), expected._score(whole, everybody), atol=1e-5)


@pytest.mark.parametrize("changed", [3, N_ITEMS])
def test_they_go_on_from_an_earlier_model(in_parts: FitOptions, changed: int) -> None:
    data, rows = small_site(), {"items": np.arange(N_ITEMS, dtype=np.int32)}
    earlier = ItemKNN(neighbors=7).fit(small_site())
    earlier.item_weights_[:changed] *= 2
    earlier.similarity_.data *= 2  # what is kept can be told from what is computed
    start = WarmStart(earlier, rows)
    found = ItemKNN(neighbors=7).fit(data, FitOptions(parts=in_parts.parts, warm_start=start))
    assert_same(found, ItemKNN(neighbors=7).fit(data, FitOptions(warm_start=start)))


def test_functions_are_found_by_name() -> None:
    assert item_parts.compare_items.__qualname__ == "compare_items"
    for name in ("measure_items", "join_users", "join_items"):
        assert getattr(weighted_parts, name).__qualname__ == name
