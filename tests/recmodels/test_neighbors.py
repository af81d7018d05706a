import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from recmodels import neighbors
from recmodels.dataset import Dataset
from recmodels.neighbors import ItemKNN
from tests.recmodels.contract import RecommenderContract, small_site


class TestItemKNN(RecommenderContract):
    def make(self) -> ItemKNN:
        return ItemKNN(neighbors=5)


class TestShrunkItemKNN(RecommenderContract):
    def make(self) -> ItemKNN:
        return ItemKNN(shrinkage=10)


def test_similarity_is_the_cosine_of_the_item_columns() -> None:
    data = small_site()
    expected = cosine_similarity(data.matrix.toarray().T)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(ItemKNN().fit(data).similarity_.toarray(), expected, atol=1e-6)


def test_shrinkage_is_added_to_the_denominator() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 1])  # both have items 0 and 1, a third only 1
    similarity = ItemKNN(shrinkage=3).fit(data).similarity_
    assert similarity[0, 1] == pytest.approx(2 / (np.sqrt(2 * 3) + 3))


def test_only_the_most_similar_neighbors_are_kept_ties_by_item() -> None:
    data = small_site()
    whole, kept = ItemKNN().fit(data).similarity_.toarray(), ItemKNN(neighbors=3).fit(data).similarity_.toarray()
    for row, pruned in zip(whole, kept, strict=True):
        best = [j for j in np.argsort(-row, kind="stable")[:3] if row[j] > 0]
        assert np.flatnonzero(pruned).tolist() == sorted(best)


def test_small_blocks_give_the_same_similarities(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ItemKNN(neighbors=4).fit(small_site()).similarity_
    monkeypatch.setattr(neighbors, "PRODUCTS", 100)
    parts = ItemKNN(neighbors=4).fit(small_site()).similarity_
    np.testing.assert_array_equal(whole.toarray(), parts.toarray())


def test_the_reason_is_the_most_similar_item_of_the_history() -> None:
    #       users 0-2 have 0 and 2 | users 3-5 have 1 alone, user 3 has 2 as well; user 6 has 0 and 1
    data = Dataset.from_arrays([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6], [0, 2, 0, 2, 0, 2, 1, 2, 1, 1, 0, 1])
    model = ItemKNN().fit(data)
    top = model.recommend(data, np.array([6]), 1)
    assert top.items.tolist() == [[2]]
    assert model.explain(data, np.array([6]), top).tolist() == [[0]]
