import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity, pairwise_distances

from recmodels.data.dataset import Dataset
from recmodels.knn.user_knn import UserKNN
from recmodels.testing import N_USERS, RecommenderContract, small_site
from tests.recmodels.knn.test_item_knn import rated_site

EVERYBODY = np.arange(N_USERS)


class TestUserKNN(RecommenderContract):
    def make(self) -> UserKNN:
        return UserKNN()


class TestCosineUserKNN(RecommenderContract):
    def make(self) -> UserKNN:
        return UserKNN(weighting="cosine", neighbors=5, shrinkage=2, min_support=2, discount=0.5)


class TestJaccardUserKNN(RecommenderContract):
    def make(self) -> UserKNN:
        return UserKNN(weighting="jaccard")


class TestBM25UserKNN(RecommenderContract):
    def make(self) -> UserKNN:
        return UserKNN(weighting="bm25")


def plain(**parameters: float) -> UserKNN:
    return UserKNN(weighting="cosine", activity_power=0.5, amplification=1, **parameters)  # type: ignore[arg-type]


def test_similarity_is_the_cosine_of_the_user_rows() -> None:
    data = small_site()
    expected = cosine_similarity(data.matrix.toarray())
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(plain().fit(data).similarity_.toarray(), expected, atol=1e-6)


def test_similarity_is_the_jaccard_index_of_the_items() -> None:
    data = small_site()
    expected = 1 - pairwise_distances(data.matrix.toarray() > 0, metric="jaccard")
    np.fill_diagonal(expected, 0)
    found = UserKNN(weighting="jaccard").fit(data).similarity_.toarray()
    someone = np.arange(N_USERS) != 38  # for two users without items, sklearn's distance is 0
    np.testing.assert_allclose(found[someone][:, someone], expected[someone][:, someone], atol=1e-6)


def test_pearson_of_users_who_rated_everything_is_numpys_correlation() -> None:
    ratings = np.random.default_rng(0).integers(1, 6, (8, 20))
    users, items = np.nonzero(ratings)
    data = Dataset.from_arrays(users, items, rating=ratings[users, items])
    expected = np.corrcoef(ratings)
    np.fill_diagonal(expected, 0)
    found = UserKNN(weighting="pearson").fit(data).similarity_.toarray()
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)


def test_a_user_whose_ratings_are_equal_has_no_neighbors() -> None:
    data = Dataset.from_arrays([0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2] * 3, rating=[4.1, 4.1, 4.1, 1, 2, 3, 2, 4, 5.0])
    similarity = UserKNN(weighting="pearson").fit(data).similarity_.toarray()
    assert np.isfinite(similarity).all()
    assert not similarity[0].any() and not similarity[:, 0].any()
    assert similarity[1, 2] > 0.9


@pytest.mark.parametrize("weighting", ["cosine", "pearson", "jaccard", "tfidf", "bm25"])
def test_a_user_is_never_their_own_neighbor(weighting: str) -> None:
    model = UserKNN(weighting=weighting).fit(rated_site())  # type: ignore[arg-type]
    assert model.similarity_.nnz > 0
    assert not model.similarity_.diagonal().any()


def test_too_little_in_common_makes_no_neighbor() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 1, 2])
    similarity = plain(min_support=2).fit(data).similarity_.toarray()
    np.testing.assert_allclose(similarity, [[0, 1, 0], [1, 0, 0], [0, 0, 0]], atol=1e-6)


def test_a_score_is_the_sum_over_the_neighbors_with_the_item() -> None:
    # user 0 has items 0, 1; user 1 has 0, 1, 2 (cosine 2/√6); user 2 has 1, 2, 3 (cosine 1/√6)
    data = Dataset.from_arrays([0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 0, 1, 2, 1, 2, 3])
    top = plain().fit(data).recommend(data, np.array([0]), 3)
    assert top.items.tolist() == [[2, 3, -1]]
    np.testing.assert_allclose(top.scores[0, :2], [3 / np.sqrt(6), 1 / np.sqrt(6)], rtol=1e-6)
    louder = UserKNN(weighting="cosine", activity_power=0.5, amplification=2, discount=1).fit(data)
    expected = [(4 / 6 + 1 / 6) / 2, 1 / 6]  # two users have item 2
    np.testing.assert_allclose(louder.recommend(data, np.array([0]), 2).scores[0], expected, rtol=1e-6)


@pytest.mark.parametrize("weighting", ["cosine", "pearson", "jaccard", "tfidf", "bm25"])
def test_the_reason_is_the_own_item_without_which_the_score_falls_most(weighting: str) -> None:
    data = rated_site()
    model = UserKNN(weighting=weighting, neighbors=6, discount=0).fit(data)  # type: ignore[arg-type]
    users = np.arange(0, N_USERS - 2)
    top = model.recommend(data, users, 5)
    reasons = model.explain(data, users, top)
    from recmodels.scoring.similarity import centered, weighted_rows

    assert data.ratings is not None
    if weighting == "pearson":
        values = centered(data.ratings).toarray()
    elif weighting == "jaccard":
        values = (data.matrix.toarray() > 0).astype(float)
    else:
        values = weighted_rows(data.matrix, weighting).toarray()  # type: ignore[arg-type]
    near, weights = model.similarity_.toarray() ** 2, data.matrix.toarray()
    for user in users:
        dots = values @ values[user]
        shares = near[user] / np.where(dots == 0, 1, dots)
        for item, reason in zip(top.items[user], reasons[user], strict=True):
            if item < 0:
                continue
            added = values[user] * ((shares * weights[:, item]) @ values)  # of each item of the history
            assert added.sum() == pytest.approx((near[user] * weights[:, item]).sum(), rel=1e-4)
            assert added[reason] == pytest.approx(added.max(), rel=1e-4)


def test_a_rating_is_the_baseline_and_the_deviations_of_similar_users() -> None:
    data = rated_site()
    model = UserKNN(weighting="pearson", rating_shrinkage=0).fit(data)
    assert data.ratings is not None
    ratings, baseline = data.ratings.toarray(), model._baseline(data)
    user, item = np.array([3]), np.array([4])
    near = model.similarity_.toarray()[3] * (ratings[:, 4] > 0)
    residuals = ratings[:, 4] - baseline.at(EVERYBODY, np.full(N_USERS, 4))
    expected = baseline.at(user, item)[0] + near @ residuals / near.sum()
    assert model.predict(data, user, item)[0] == pytest.approx(np.clip(expected, 0.5, 5), rel=1e-5)


def test_data_of_other_users_are_refused() -> None:
    model = UserKNN().fit(small_site())
    with pytest.raises(ValueError, match="2 users, the model was fitted on 40"):
        model.recommend(Dataset.from_arrays([0, 1], [0, 1], n_items=30), np.array([0]), 3)
