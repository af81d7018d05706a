from copy import copy

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.linear.graph_filter import GraphFilter
from recmodels.scoring.recency import recent_first
from recmodels.testing import N_ITEMS, N_USERS, assert_same, small_site

RECENCY = 0.7


def weighed_by_hand(data: Dataset, recency: float) -> Dataset:
    """The same site, where the interactions themselves weigh less the more came after them."""
    weights = data.weight.copy()
    for start, stop in zip(data.indptr[:-1], data.indptr[1:], strict=True):
        weights[start:stop] *= np.arange(stop - start, 0, -1) ** -recency
    return Dataset.from_arrays(
        data.user_index, data.item_index, timestamp=data.timestamp, weight=weights, n_users=N_USERS, n_items=N_ITEMS
    )


def test_the_latest_item_counts_whole_and_earlier_ones_by_how_many_came_after() -> None:
    data = Dataset.from_arrays([0, 0, 0, 1], [2, 0, 1, 1], timestamp=[30, 10, 20, 5], weight=[1, 3, 2, 4], n_users=3)
    history = recent_first(data, np.array([1, 2, 0], np.int32), 1.0)
    np.testing.assert_allclose(history.toarray(), [[0, 4, 0], [0, 0, 0], [3 / 3, 2 / 2, 1]])
    assert history.has_sorted_indices and history.dtype == np.float32


@pytest.mark.parametrize(
    "model",
    [
        GraphFilter(rank=8, recency=RECENCY),
        ItemKNN(popularity_power=0.3, recency=RECENCY),
        EASE(regularization=10, recency=RECENCY),
        EASE(regularization=10, method="approximate", neighbors=8, recency=RECENCY),
    ],
    ids=["graph_filter", "item_knn", "ease", "approximate ease"],
)
def test_lists_and_reasons_are_those_of_histories_that_weigh_so(model: GraphFilter | ItemKNN | EASE) -> None:
    data = small_site()
    users = np.arange(N_USERS)[::-1]
    plain = copy(model.fit(data))
    plain.recency = 0.0
    weighed = weighed_by_hand(data, RECENCY)
    top, expected = model.recommend(data, users, N_ITEMS), plain.recommend(weighed, users, N_ITEMS)
    assert_same(top, expected)
    np.testing.assert_array_equal(model.explain(data, users, top), plain.explain(weighed, users, top))
    assert (top.items != plain.recommend(data, users, N_ITEMS).items).any()
