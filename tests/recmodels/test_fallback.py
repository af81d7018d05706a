import numpy as np
import pytest

from recmodels import fallback as serving
from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.fallback import Lists, serve
from recmodels.knn.item_knn import ItemKNN
from recmodels.popularity import Popularity
from recmodels.testing import COMPLETIST, N_ITEMS, N_USERS, NEWCOMER, small_site

EVERYBODY = np.arange(N_USERS, dtype=np.int32)


@pytest.fixture
def data() -> Dataset:
    return small_site()


@pytest.fixture
def model(data: Dataset) -> Recommender:
    return ItemKNN(neighbors=1).fit(data)  # too few neighbours for full lists


def served(model: Recommender, data: Dataset, k: int = 12, **options: object) -> Lists:
    return serve(model, Popularity().fit(data), data, EVERYBODY, k, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("k", [1, 12, 50])
@pytest.mark.parametrize("repeats", [False, True])
def test_everybody_has_as_many_items_as_are_eligible(model: Recommender, data: Dataset, k: int, repeats: bool) -> None:
    allowed = np.arange(N_ITEMS) % 4 != 0
    lists = served(model, data, k, allowed=allowed, repeats=repeats)
    seen = data.matrix.toarray() > 0
    eligible = np.broadcast_to(allowed, seen.shape) if repeats else allowed & ~seen
    for user, items in enumerate(lists.items):
        shown = items[items >= 0]
        assert len(set(shown)) == len(shown) == min(k, eligible[user].sum())
        assert eligible[user][shown].all()
        assert (items[len(shown) :] == -1).all()


def test_scores_are_finite_and_never_rise(model: Recommender, data: Dataset) -> None:
    lists = served(model, data)
    assert lists.scores.dtype == np.float32
    assert np.array_equal(np.isfinite(lists.scores), lists.items >= 0)
    assert (lists.scores[:, 1:] <= lists.scores[:, :-1]).all()


def test_the_models_own_items_come_first_with_their_scores(model: Recommender, data: Dataset) -> None:
    lists, top = served(model, data), model.recommend(data, EVERYBODY, 12)
    own = top.items >= 0
    assert own.any() and not own.all()
    np.testing.assert_array_equal(lists.items[own], top.items[own])
    np.testing.assert_array_equal(lists.scores[own], top.scores[own])
    np.testing.assert_array_equal(lists.cold, ~own & (lists.items >= 0))


def test_the_others_are_the_most_popular_that_are_left(model: Recommender, data: Dataset) -> None:
    lists = served(model, data)
    popular = Popularity().fit(data).recommend(data, EVERYBODY, N_ITEMS).items
    for items, cold, ranking in zip(lists.items, lists.cold, popular, strict=True):
        left = [item for item in ranking if item >= 0 and item not in items[~cold]]
        assert items[cold].tolist() == left[: cold.sum()]


def test_users_with_little_history_get_popular_items_only(model: Recommender, data: Dataset) -> None:
    lists = served(model, data, min_history=6, explain=True)
    few = np.diff(data.indptr) < 6
    assert 1 < few.sum() < N_USERS - 1
    popular = Popularity().fit(data).recommend(data, EVERYBODY[few], 12).items
    np.testing.assert_array_equal(lists.items[few], popular)
    assert lists.cold[few].all()
    assert (lists.reasons[few] == -1).all()
    assert not lists.cold[~few][:, 0].all()


def test_newcomers_get_popular_items_and_those_who_have_everything_none(model: Recommender, data: Dataset) -> None:
    lists = served(model, data)
    assert lists.cold[NEWCOMER].all()
    np.testing.assert_allclose(lists.scores[NEWCOMER], 1 - np.arange(12) / 12, rtol=1e-6)
    assert (lists.items[COMPLETIST] == -1).all()


def test_reasons_belong_to_the_models_own_items(model: Recommender, data: Dataset) -> None:
    lists = served(model, data, explain=True)
    assert (lists.reasons >= 0).any()
    assert (lists.reasons[lists.cold] == -1).all()
    assert (served(model, data).reasons == -1).all()


def test_completing_in_small_steps_changes_nothing(
    model: Recommender, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = served(model, data)
    monkeypatch.setattr(serving, "COMPARED", 1)
    np.testing.assert_array_equal(served(model, data).items, whole.items)
