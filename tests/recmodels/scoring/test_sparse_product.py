"""What is stored for pairs of items says what is similar and why something is listed, without a row of all items."""

import numpy as np
import pytest

from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.ranking.topk import TopK

MODELS = [ItemKNN(neighbors=7), ItemKNN(weighting="jaccard"), EASE(method="approximate", neighbors=6)]


@pytest.fixture(scope="module")
def data() -> Dataset:
    """60 users, of whom the last has no history, and 40 items, some of them unknown; a few ties."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(np.unique(rng.integers(0, 59, 700) * 40 + rng.integers(0, 35, 700)), 40)
    return Dataset.from_arrays(users, items, weight=rng.integers(1, 4, len(users)), n_users=60, n_items=40)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_similar_items_are_those_of_the_whole_rows(model: Recommender, data: Dataset) -> None:
    items, allowed = np.arange(40, dtype=np.int32)[::-1].copy(), np.arange(40) % 5 != 0
    found, expected = model.fit(data).similar_items(items, 5, allowed=allowed), Recommender._similar_items
    whole = expected(model, items, 5, allowed)
    np.testing.assert_array_equal(found.items, whole.items)
    np.testing.assert_array_equal(found.scores, whole.scores)
    assert (whole.items >= 0).sum() > 50


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_reasons_are_the_largest_addends_of_the_scores(model: Recommender, data: Dataset) -> None:
    users = np.array([59, 3, 3, *range(50)], np.int32)
    top = model.fit(data).recommend(data, users, 6)
    top.items[4, 2:4] = -1
    found = model.explain(data, users, TopK(top.items, top.scores))
    np.testing.assert_array_equal(found, Recommender._explain(model, data, users, top))
    assert (found[0] == -1).all() and (found >= 0).sum() > 200
