import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity, pairwise_distances

from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.knn.user_knn import UserKNN
from recmodels.options import DEFAULTS, FitOptions, WarmStart
from recmodels.ranking.topk import top_k
from recmodels.testing import N_ITEMS, N_USERS, RecommenderContract, assert_same, small_site, threads
from tests.recmodels.renumbered import same_rows, shuffled

EVERYBODY = np.arange(N_USERS)


class TestItemKNN(RecommenderContract):
    def make(self) -> ItemKNN:
        return ItemKNN(neighbors=5)


class TestShrunkItemKNN(RecommenderContract):
    def make(self) -> ItemKNN:
        return ItemKNN(shrinkage=10, weighting="cosine")


class TestJaccardItemKNN(RecommenderContract):
    def make(self) -> ItemKNN:
        return ItemKNN(weighting="jaccard")


class TestBM25ItemKNN(RecommenderContract):
    def make(self) -> ItemKNN:
        return ItemKNN(weighting="bm25", own_power=0, popularity_power=0)


def rated_site() -> Dataset:
    data = small_site()
    ratings = np.random.default_rng(2).integers(1, 11, len(data)) / 2
    return Dataset.from_arrays(
        data.user_index, data.item_index, timestamp=data.timestamp, rating=ratings, n_users=N_USERS, n_items=N_ITEMS
    )


def cosine(**parameters: float) -> ItemKNN:
    return ItemKNN(weighting="cosine", popularity_power=0.5, **parameters)  # type: ignore[arg-type]


def test_similarity_is_the_cosine_of_the_item_columns() -> None:
    data = small_site()
    expected = cosine_similarity(data.matrix.toarray().T)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(cosine().fit(data).similarity_.toarray(), expected, atol=1e-6)


def test_similarity_is_the_jaccard_index_of_the_users() -> None:
    data = small_site()
    expected = 1 - pairwise_distances(data.matrix.toarray().T > 0, metric="jaccard")
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(ItemKNN(weighting="jaccard").fit(data).similarity_.toarray(), expected, atol=1e-6)


def test_pearson_of_items_that_everybody_rated_is_numpys_correlation() -> None:
    ratings = np.random.default_rng(0).integers(1, 6, (20, 6))
    users, items = np.nonzero(ratings)
    data = Dataset.from_arrays(users, items, rating=ratings[users, items])
    expected = np.corrcoef(ratings.T)
    np.fill_diagonal(expected, 0)
    found = ItemKNN(weighting="pearson").fit(data).similarity_.toarray()
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)


def test_adjusted_cosine_centers_by_the_user() -> None:
    # users 0 and 1 rated items 0, 1, 2: less their means (3 and 2) that is (+1, +1, -2) and (+1, +2, -3)
    data = Dataset.from_arrays([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], rating=[4, 4, 1, 3, 4, -1])
    similarity = ItemKNN(weighting="adjusted_cosine").fit(data).similarity_
    assert similarity[0, 1] == pytest.approx((1 * 1 + 1 * 2) / np.sqrt(2 * 5))
    assert similarity[0, 2] == 0  # they disagree: no neighbor
    shrunk = ItemKNN(weighting="adjusted_cosine", shrinkage=3).fit(data).similarity_
    assert shrunk[0, 1] == pytest.approx(3 / np.sqrt(10) * (1 / 4))


def test_a_constant_item_is_similar_to_none() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], rating=[3, 1, 3, 2, 3, 5])
    similarity = ItemKNN(weighting="pearson").fit(data).similarity_
    assert similarity.nnz == 0


def test_shrinkage_is_added_to_the_denominator() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 1])  # both have items 0 and 1, a third only 1
    assert cosine(shrinkage=3).fit(data).similarity_[0, 1] == pytest.approx(2 / (np.sqrt(2 * 3) + 3))


def test_powers_of_popularity_stand_in_the_denominator() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 1])  # norms² 2 and 3
    similarity = ItemKNN(weighting="cosine", own_power=0.4, popularity_power=0.1).fit(data).similarity_
    assert similarity[0, 1] == pytest.approx(2 / (2**0.4 * 3**0.1))
    assert similarity[1, 0] == pytest.approx(2 / (3**0.4 * 2**0.1))


def test_only_the_most_similar_neighbors_are_kept_ties_by_item() -> None:
    data = small_site()
    whole, kept = cosine().fit(data).similarity_.toarray(), cosine(neighbors=3).fit(data).similarity_.toarray()
    for row, pruned in zip(whole, kept, strict=True):
        best = [j for j in np.argsort(-row, kind="stable")[:3] if row[j] > 0]
        assert np.flatnonzero(pruned).tolist() == sorted(best)


def test_lists_are_those_of_the_whole_score_matrix() -> None:
    data = small_site()
    for model in (ItemKNN().fit(data), cosine(neighbors=2).fit(data)):
        scores = model._score(data, EVERYBODY)
        scores[data.seen.toarray() > 0] = -np.inf
        found, expected = model.recommend(data, EVERYBODY, 8), top_k(scores, 8)
        np.testing.assert_array_equal(found.items, expected.items)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)


@pytest.mark.slow
def test_one_thread_gives_the_same_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_site()
    for model in (ItemKNN(neighbors=5), UserKNN(neighbors=5)):
        lists = []
        for n in (1, 2):
            with threads(n, monkeypatch):
                lists.append(model.fit(data).recommend(data, np.arange(40), 10))
        assert_same(*lists)


def test_the_reason_is_the_most_similar_item_of_the_history() -> None:
    #       users 0-2 have 0 and 2 | users 3-5 have 1 alone, user 3 has 2 as well; user 6 has 0 and 1
    data = Dataset.from_arrays([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6], [0, 2, 0, 2, 0, 2, 1, 2, 1, 1, 0, 1])
    model = ItemKNN().fit(data)
    top = model.recommend(data, np.array([6]), 1)
    assert top.items.tolist() == [[2]]
    assert model.explain(data, np.array([6]), top).tolist() == [[0]]


def test_a_rating_is_the_baseline_and_the_deviations_of_similar_items() -> None:
    data = rated_site()
    model = ItemKNN(weighting="pearson", rating_shrinkage=0.5).fit(data)
    assert data.ratings is not None
    baseline = model._baseline(data)
    user, item = 3, 4
    said = weight = 0.0
    for j, rating in zip(data.ratings[[user]].indices, data.ratings[[user]].data, strict=True):
        similarity = float(model.similarity_[item, j])
        said += similarity * (rating - baseline.at(np.array([user]), np.array([j]))[0])
        weight += similarity
    expected = baseline.at(np.array([user]), np.array([item]))[0] + said / (weight + 0.5)
    assert model.predict(data, np.array([user]), np.array([item]))[0] == pytest.approx(np.clip(expected, 0.5, 5))


def test_same_lists_in_batches() -> None:
    data = small_site()
    model = ItemKNN().fit(data)
    assert_same(model.recommend(data, EVERYBODY, 9), model.recommend(data, EVERYBODY, 9, batch=3))


@pytest.mark.parametrize("weighting", ["tfidf", "jaccard", "pearson"])
@pytest.mark.slow
def test_trained_in_parts_it_is_the_same_to_the_last_bit(in_parts: FitOptions, weighting: str) -> None:
    data = small_site()
    one, other = ItemKNN(weighting=weighting).fit(data), ItemKNN(weighting=weighting).fit(data, in_parts)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(other.similarity_, name), getattr(one.similarity_, name))


def test_a_warm_start_keeps_the_similarities_of_items_that_are_as_they_were() -> None:
    data = small_site()
    before = cosine(neighbors=50).fit(data)
    other, rows = shuffled(data)
    after, anew = (
        cosine(neighbors=50).fit(other, options)
        for options in (FitOptions(warm_start=WarmStart(before, rows)), DEFAULTS)
    )
    np.testing.assert_allclose(after.similarity_.toarray(), anew.similarity_.toarray(), atol=1e-6)
    before.similarity_.data[:] *= 2  # what is kept shows it
    after = cosine(neighbors=50).fit(other, FitOptions(warm_start=WarmStart(before, rows)))
    np.testing.assert_allclose(after.similarity_.toarray(), 2 * anew.similarity_.toarray(), atol=1e-6)


def test_items_that_have_changed_are_compared_anew() -> None:
    data = small_site()
    before = cosine(neighbors=N_ITEMS).fit(data)
    before.similarity_.data[:] *= 2
    popular = int(data.item_counts.argmax())
    more = np.setdiff1d(EVERYBODY, data.user_index[data.item_index == popular])[:4]
    users, items = np.append(data.user_index, more), np.append(data.item_index, np.full(4, popular))
    today = Dataset.from_arrays(users, items, n_users=N_USERS, n_items=N_ITEMS)
    expected = cosine(neighbors=N_ITEMS).fit(today).similarity_.toarray()
    model = cosine(neighbors=N_ITEMS, warm_change=3 / data.item_counts[popular])
    found = model.fit(today, FitOptions(warm_start=WarmStart(before, same_rows(data)))).similarity_.toarray()
    changed = np.zeros((N_ITEMS, N_ITEMS), bool)
    changed[popular] = changed[:, popular] = True
    np.testing.assert_allclose(found[changed], expected[changed], atol=1e-6)
    np.testing.assert_allclose(found[~changed], before.similarity_.toarray()[~changed], atol=1e-6)


def test_the_power_that_was_chosen_stays_and_a_model_of_another_similarity_is_no_start() -> None:
    data = small_site()
    before = ItemKNN(neighbors=8).fit(data)
    before.popularity_power_ = 0.5
    options = FitOptions(warm_start=WarmStart(before, same_rows(data)))
    assert ItemKNN(neighbors=8).fit(data, options).popularity_power_ == 0.5
    anew = ItemKNN(neighbors=7)
    assert (anew.fit(data, options).similarity_ != ItemKNN(neighbors=7).fit(data).similarity_).nnz == 0
    assert anew.popularity_power_ == 0.2
