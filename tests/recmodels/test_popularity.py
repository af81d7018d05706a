import numpy as np
import pytest

from recmodels import popularity
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.popularity import Popularity
from recmodels.testing import RecommenderContract

NOBODY = np.array([3])  # a user without history


class TestPopularity(RecommenderContract):
    recommends_unseen_items = True  # last of all, so that lists can be completed

    def make(self) -> Popularity:
        return Popularity()


class TestRecentPopularity(RecommenderContract):
    recommends_unseen_items = True

    def make(self) -> Popularity:
        return Popularity(days=7, half_life_days=3)


@pytest.fixture
def log() -> Dataset:
    """Item 0: three interactions 30 days before the end; item 1: two, 2 days before; item 2: one, now; item 3: none."""
    times = [-30 * DAY] * 3 + [-2 * DAY] * 2 + [-1]
    return Dataset.from_arrays([0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 1, 2], timestamp=times, n_users=4, n_items=4, end=0)


@pytest.fixture(params=[1, 4, 100])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interactions are added up so many at a time."""
    monkeypatch.setattr(popularity, "ROWS", request.param)


@pytest.mark.usefixtures("parts")
def test_all_time_popularity_counts_everything(log: Dataset) -> None:
    top = Popularity().fit(log).recommend(log, NOBODY, 4)
    assert top.items.tolist() == [[0, 1, 2, 3]]
    assert top.scores.tolist() == [[3, 2, 1, -1]]


@pytest.mark.usefixtures("parts")
def test_items_outside_the_last_days_come_last_by_their_share_of_all_time(log: Dataset) -> None:
    top = Popularity(days=7).fit(log).recommend(log, NOBODY, 4)
    assert top.items.tolist() == [[1, 2, 0, 3]]
    assert top.scores.tolist() == [[2, 1, 0, -1]]


def test_weight_halves_after_a_half_life(log: Dataset) -> None:
    top = Popularity(half_life_days=2).fit(log).recommend(log, NOBODY, 2)
    np.testing.assert_allclose(top.scores, [[1, 1]], rtol=1e-6)


def test_weights_count() -> None:
    data = Dataset.from_arrays([0, 1, 2], [0, 0, 1], weight=[1, 1, 5], n_users=4)
    assert Popularity().fit(data).recommend(data, NOBODY, 1).items.tolist() == [[1]]
