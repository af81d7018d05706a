"""Neighbors of items by the parts of the data."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED, interactions_file
from recmodels.data.stored import StoredDataset
from recmodels.knn import item_parts
from recmodels.knn.item_knn import ItemKNN
from recmodels.options import FitOptions, WarmStart
from recmodels.parted import sums
from recmodels.testing import N_ITEMS, N_USERS, small_site


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


def test_rows_on_the_disk_are_read_by_buckets_alone(features: Path, in_parts: FitOptions) -> None:
    path = features / PREPARED / interactions_file("train")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns({"rating"} & {*table.column_names}), path)
    expected, data = ItemKNN().fit(Dataset.load(features, "train")), StoredDataset.opened(features, "train")
    assert_same(ItemKNN().fit(data, in_parts), expected)
    assert data.on_disk


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
    for name in ("measure_items", "join_users", "compare_items"):
        assert getattr(item_parts, name).__qualname__ == name
