"""Lists that bounds find are those of all scores."""

import numpy as np
import pytest
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.linear.graph_filter import GraphFilter
from recmodels.testing import assert_same


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Popular items and rare ones: 300 users, 400 items, the last users without a history."""
    rng = np.random.default_rng(0)
    items = (400 * rng.random(9_000) ** 3).astype(np.int64)
    pairs = np.unique(rng.integers(0, 280, 9_000) * 400 + items)
    return Dataset.from_arrays(*np.divmod(pairs, 400), n_users=300, n_items=400)


@pytest.fixture(scope="module")
def model(data: Dataset) -> GraphFilter:
    return GraphFilter(rank=20, neighbors=30).fit(data)


@pytest.mark.parametrize("k", [1, 10, 500])
@pytest.mark.parametrize("repeats", [False, True])
def test_lists_are_those_of_all_scores(model: GraphFilter, data: Dataset, k: int, repeats: bool) -> None:
    users = np.arange(300, dtype=np.int32)
    allowed = np.arange(400) % 7 != 0
    for given in (None, allowed):
        all_scores = Recommender._lists(model, data, users, k, given, repeats, None)
        assert_same(model.recommend(data, users, k, allowed=given, repeats=repeats), all_scores)


def test_similar_items_are_those_of_a_history_of_one_item(model: GraphFilter) -> None:
    items = np.arange(400, dtype=np.int32)
    one = sparse.csr_array((np.ones(400, np.float32), items, np.arange(401)), shape=(400, 400))
    scores = model._filtered(one)
    np.fill_diagonal(scores, -np.inf)
    scores[scores <= 0] = -np.inf
    top = model.similar_items(items, 5)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5].astype(np.int32)
    values = np.take_along_axis(scores, best, axis=1)
    np.testing.assert_array_equal(top.scores, values)
    np.testing.assert_array_equal(top.items, np.where(np.isfinite(values), best, -1))
