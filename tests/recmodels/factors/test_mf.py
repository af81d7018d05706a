import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.factors.mf import MF
from recmodels.metrics.rating_errors import rmse
from recmodels.scoring.ratings import Baseline
from recmodels.testing import RecommenderContract
from tests.recmodels.knn.test_item_knn import rated_site


class TestMF(RecommenderContract):
    def make(self) -> MF:
        return MF(factors=8, epochs=5)


class TestMFOfRatings(RecommenderContract):
    def make(self) -> MF:
        return MF(factors=40, epochs=5)

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> Dataset:
        return rated_site()

    def test_inputs_are_left_as_they_were(self) -> None:  # type: ignore[override]
        data = rated_site()
        ratings = data.rating.copy() if data.rating is not None else None
        self.make().fit(data)
        np.testing.assert_array_equal(data.rating, ratings)


def of_two_tastes() -> tuple[Dataset, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """4 for an item of the user's own parity and 2 for another, and half a point of noise: train, and test pairs."""
    rng = np.random.default_rng(0)
    users, items = (axis.ravel() for axis in np.meshgrid(np.arange(200), np.arange(150), indexing="ij"))
    ratings = np.where((users + items) % 2 == 0, 4, 2) + rng.normal(0, 0.5, len(users))
    drawn = rng.random(len(users))
    train, test = drawn < 0.2, (drawn > 0.2) & (drawn < 0.3)
    data = Dataset.from_arrays(users[train], items[train], rating=ratings[train], n_users=200, n_items=150)
    return data, (users[test], items[test], ratings[test])


def test_rmse_on_two_groups_of_users_is_near_the_noise() -> None:
    data, (users, items, ratings) = of_two_tastes()
    model = MF(factors=8).fit(data)
    assert rmse(model.predict(data, users, items), ratings) < 0.6
    baseline = Baseline.of(data)
    assert rmse(baseline.at(users, items), ratings) > 1  # who and what alone say nothing here


def test_predictions_lie_within_the_range_of_training_ratings() -> None:
    data = rated_site()
    users, items = (axis.ravel() for axis in np.meshgrid(np.arange(40), np.arange(30), indexing="ij"))
    predicted = MF(learning_rate=0.05, regularization=0).fit(data).predict(data, users, items)
    assert predicted.dtype == np.float32
    assert predicted.min() >= 0.5 and predicted.max() <= 5


def test_a_low_rating_of_weight_0_is_trained_on() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1], [0, 1, 0, 1], rating=[5, 1, 5, 1], weight=[1, 0, 1, 0])
    model = MF(epochs=200).fit(data)
    users, items = np.array([0, 1]), np.array([1, 0])
    low, high = model.predict(data, users, items)
    assert high - low > 1


def test_unknown_users_and_items_get_the_mean_rating() -> None:
    data = Dataset.from_arrays([0, 1], [0, 1], rating=[4, 3], n_users=3, n_items=3)
    assert MF().fit(data).predict(data, np.array([2]), np.array([2]))[0] == pytest.approx(3.5)


def test_popularity_orders_what_ratings_cannot_tell_apart() -> None:
    data = Dataset.from_arrays([0, 1, 2, 3, 3], [1, 1, 1, 0, 2], rating=[3, 3, 3, 3, 3])
    assert MF().fit(data).recommend(data, np.array([3]), 1).items.tolist() == [[1]]


def test_a_step_too_long_is_refused() -> None:
    with pytest.raises(NightrecError, match="MF diverged"):
        MF(learning_rate=1e10).fit(rated_site())
