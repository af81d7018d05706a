import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity, pairwise_distances

from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.knn.similarity import Measure, Weighting, centred, nearest, weighed
from recmodels.ranking.topk import top_k
from tests.recmodels.contract import N_ITEMS, N_USERS, RecommenderContract, assert_same, small_site

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


def test_tfidf_is_the_cosine_of_rows_weighted_by_how_rare_a_column_is() -> None:
    rows = sparse.csr_array(np.array([[4, 1, 0], [1, 0, 0], [0, 0, 9], [0, 0, 0.0]], np.float32))
    idf = np.log(1 + 4 / np.array([2, 1, 1]))  # 4 rows; 2, 1 and 1 of them store the column
    expected = np.array([[2, 1, 0], [1, 0, 0], [0, 0, 3], [0, 0, 0]]) * idf
    np.testing.assert_allclose(weighed(rows, "tfidf").toarray(), expected, rtol=1e-6)


def test_bm25_saturates_weights_and_discounts_long_rows() -> None:
    rows = sparse.csr_array(np.array([[4, 2, 0], [2, 0, 0], [0, 0, 4], [0, 0, 0.0]], np.float32))
    # mean length 3: lengths 6, 2, 4, 0 give 1 - b + b length / 3 with b = 0.5: 1.5, 5/6, 7/6
    first = 4 * 2.2 / (4 + 1.2 * 1.5) * np.log(1 + 4 / 2)
    third = 4 * 2.2 / (4 + 1.2 * 7 / 6) * np.log(1 + 4 / 1)
    found = weighed(rows, "bm25", k1=1.2, b=0.5).toarray()
    np.testing.assert_allclose([found[0, 0], found[2, 2]], [first, third], rtol=1e-6)


def test_pearson_of_items_that_everybody_rated_is_numpys_correlation() -> None:
    ratings = np.random.default_rng(0).integers(1, 6, (20, 6))
    users, items = np.nonzero(ratings)
    data = Dataset.from_arrays(users, items, rating=ratings[users, items])
    expected = np.corrcoef(ratings.T)
    np.fill_diagonal(expected, 0)
    found = ItemKNN(weighting="pearson").fit(data).similarity_.toarray()
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)


def test_adjusted_cosine_centres_by_the_user() -> None:
    # users 0 and 1 rated items 0, 1, 2: less their means (3 and 2) that is (+1, +1, -2) and (+1, +2, -3)
    data = Dataset.from_arrays([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], rating=[4, 4, 1, 3, 4, -1])
    similarity = ItemKNN(weighting="adjusted_cosine").fit(data).similarity_
    assert similarity[0, 1] == pytest.approx((1 * 1 + 1 * 2) / np.sqrt(2 * 5))
    assert similarity[0, 2] == 0  # they disagree: no neighbour
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


@pytest.mark.parametrize("density", [0.002, 0.3])
@pytest.mark.parametrize("weighting", ["cosine", "jaccard", "tfidf"])
@pytest.mark.parametrize("support", [1, 2])
def test_rows_short_and_long_keep_the_same_neighbors_as_the_whole_product(
    density: float, weighting: Weighting, support: int
) -> None:
    random = sparse.random_array((700, 900), density=density, rng=np.random.default_rng(3), dtype=np.float32)
    rows = weighed(sparse.csr_array(random.astype(bool).astype(np.float32)), weighting)
    product = (rows @ rows.T).toarray()
    common = (rows.astype(bool).astype(np.float32) @ rows.astype(bool).astype(np.float32).T).toarray()
    size = np.diff(rows.indptr)
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.sqrt(np.diag(product))
        expected = product / np.outer(norms, norms)
        if weighting == "jaccard":
            expected = common / (size[:, None] + size - common)
    expected[(common < support) | np.isnan(expected)] = 0
    np.fill_diagonal(expected, 0)
    kind = "jaccard" if weighting == "jaccard" else "dot"
    found = nearest(rows, Measure(kind, min_support=support), 7).toarray()  # type: ignore[arg-type]
    best = top_k(expected.astype(np.float32), 7).scores
    np.testing.assert_allclose(top_k(found, 7).scores, np.where(best > 0, best, 0), atol=1e-6)
    np.testing.assert_allclose(found[found > 0], expected[found > 0], atol=1e-6)


def test_lists_are_those_of_the_whole_score_matrix() -> None:
    data = small_site()
    for model in (ItemKNN().fit(data), cosine(neighbors=2).fit(data)):
        scores = model._score(data, EVERYBODY)
        scores[data.seen.toarray() > 0] = -np.inf
        found, expected = model.recommend(data, EVERYBODY, 8), top_k(scores, 8)
        np.testing.assert_array_equal(found.items, expected.items)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)


def test_one_thread_gives_the_same_lists() -> None:
    code = """
import sys, numpy as np
from recmodels.knn.item_knn import ItemKNN
from recmodels.knn.user_knn import UserKNN
from tests.recmodels.contract import small_site
data = small_site()
for model in (ItemKNN(neighbors=5), UserKNN(neighbors=5)):
    top = model.fit(data).recommend(data, np.arange(40), 10)
    sys.stdout.write(top.items.tobytes().hex() + top.scores.tobytes().hex())
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={"PATH": "", "NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


def test_the_reason_is_the_most_similar_item_of_the_history() -> None:
    #       users 0-2 have 0 and 2 | users 3-5 have 1 alone, user 3 has 2 as well; user 6 has 0 and 1
    data = Dataset.from_arrays([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6], [0, 2, 0, 2, 0, 2, 1, 2, 1, 1, 0, 1])
    model = ItemKNN().fit(data)
    top = model.recommend(data, np.array([6]), 1)
    assert top.items.tolist() == [[2]]
    assert model.explain(data, np.array([6]), top).tolist() == [[0]]


def test_a_rating_is_the_baseline_and_what_similar_items_say() -> None:
    data = rated_site()
    model = ItemKNN(weighting="pearson", doubt=0.5).fit(data)
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


def test_centring_leaves_exact_zeros_of_a_constant_row() -> None:
    rows = sparse.csr_array(np.array([[0.1, 0.1, 0.1], [1, 2, 0]], np.float32))
    assert centred(rows).toarray().tolist() == [[0, 0, 0], [-0.5, 0.5, 0]]


def test_same_lists_in_batches() -> None:
    data = small_site()
    model = ItemKNN().fit(data)
    assert_same(model.recommend(data, EVERYBODY, 9), model.recommend(data, EVERYBODY, 9, batch=3))
