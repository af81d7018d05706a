import numpy as np
import pytest
from scipy import sparse

from recmodels.data.dataset import Dataset
from recmodels.errors import DataRefused, NightrecError
from recmodels.knn.item_knn import ItemKNN
from recmodels.knn.user_knn import UserKNN
from recmodels.scoring import ratings as module
from recmodels.scoring.ratings import Baseline, neighbor_deviations
from recmodels.testing import small_site
from tests.recmodels.knn.test_item_knn import rated_site


def test_one_round_of_the_baseline_worked_by_hand() -> None:
    # mean 3; item 0: (+2 +1) / (2 + 1) = 1, item 1: (-1 -2) / (2 + 1) = -1; user 0: (2 - 1 - 1 + 1) / (2 + 2) = 0.25
    data = Dataset.from_arrays([0, 0, 1, 1], [0, 1, 0, 1], rating=[5, 2, 4, 1])
    baseline = Baseline.of(data, user_shrinkage=2, item_shrinkage=1, rounds=1)
    np.testing.assert_allclose(baseline.item, [1, -1])
    np.testing.assert_allclose(baseline.user, [0.25, -0.25])
    assert baseline.at(np.array([0]), np.array([1]))[0] == pytest.approx(3 + 0.25 - 1)
    assert (baseline.lowest, baseline.highest) == (1, 5)
    assert data.ratings is not None
    assert baseline.residuals(data.ratings)[0, 0] == pytest.approx(5 - 4.25)


def test_many_rounds_reach_the_minimum_of_the_penalized_squared_error() -> None:
    data = rated_site()
    assert data.rated is not None
    users, items, ratings = data.rated
    baseline = Baseline.of(data, user_shrinkage=5, item_shrinkage=3, rounds=300)
    pairs = np.arange(len(ratings))
    design = np.zeros((len(ratings), data.n_users + data.n_items))
    design[pairs, users] = design[pairs, data.n_users + items] = 1
    penalty = np.diag([5.0] * data.n_users + [3.0] * data.n_items)
    expected = np.linalg.solve(design.T @ design + penalty, design.T @ (ratings - ratings.mean(dtype=np.float64)))
    np.testing.assert_allclose(np.concatenate([baseline.user, baseline.item]), expected, atol=1e-5)


def test_small_chunks_give_the_same_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    near, far = (sparse.csr_array(sparse.random_array((9, 9), density=0.4, rng=rng, dtype=np.float32)) for _ in "ab")
    rows, columns = (rng.integers(0, 9, 50).astype(np.int32) for _ in "ab")
    whole = neighbor_deviations(near, far, rows, columns, 0.1)
    monkeypatch.setattr(module, "PAIRS", 5)
    np.testing.assert_array_equal(whole, neighbor_deviations(near, far, rows, columns, 0.1))
    there = (far.toarray() != 0)[columns] * near.toarray()[rows]
    expected = (there * far.toarray()[columns]).sum(axis=1) / (there.sum(axis=1) + 0.1)
    np.testing.assert_allclose(whole, expected, atol=1e-6)


def test_without_ratings_there_is_nothing_to_predict() -> None:
    data = small_site()
    with pytest.raises(DataRefused, match="no ratings"):
        Baseline.of(data)
    for model in (ItemKNN().fit(data), UserKNN().fit(data)):
        with pytest.raises(NightrecError, match="was fitted without ratings"):
            model.predict(data, np.array([0]), np.array([0]))


def test_pairs_out_of_range_are_named() -> None:
    data = rated_site()
    model = ItemKNN().fit(data)
    with pytest.raises(ValueError, match="Item index 30 is not one of the 30"):
        model.predict(data, np.array([0]), np.array([30]))
    with pytest.raises(ValueError, match="a user and an item a pair"):
        model.predict(data, np.array([0, 1]), np.array([3]))


def test_nan_is_no_rating_and_0_is_one() -> None:
    data = Dataset.from_arrays([0, 0, 1], [0, 1, 1], rating=[0, np.nan, 4], weight=[0, 1, 1])
    assert data.ratings is not None
    assert data.ratings.nnz == 2 and data.ratings.toarray().tolist() == [[0, 0], [0, 4]]
    with pytest.raises(DataRefused, match="infinite"):
        Dataset.from_arrays([0], [0], rating=[np.inf])
    assert Dataset.from_arrays([0], [0], rating=[np.nan]).ratings is None
