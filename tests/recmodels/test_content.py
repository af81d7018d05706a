from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

from recmodels.content import Content
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError, DataRefused
from recmodels.testing import N_ITEMS, NEWCOMER, RecommenderContract, small_site


class TestContent(RecommenderContract):
    recommends_unseen_items = True

    def make(self) -> Content:
        return Content()


class TestPlainContent(RecommenderContract):
    recommends_unseen_items = True

    def make(self) -> Content:
        return Content(popularity=0, balance=0, half_life_days=None, dislikes=0.5)


PLAIN = {"popularity": 0.0, "balance": 0.0, "half_life_days": None}


def scores(model: Content, data: Dataset, users: np.ndarray) -> np.ndarray:
    top = model.fit(data).recommend(data, users, data.n_items, repeats=True)
    dense = np.full((len(users), data.n_items), -np.inf)
    user, place = np.nonzero(top.items >= 0)
    dense[user, top.items[user, place]] = top.scores[user, place]
    return dense


def profiles_of(data: Dataset, half_life_days: float) -> np.ndarray:
    weights = np.zeros((data.n_users, data.n_items))
    for user, item, time, weight in zip(data.user_index, data.item_index, data.timestamp, data.weight, strict=True):
        last = data.timestamp[data.user_index == user].max()
        weights[user, item] = weight * 0.5 ** ((last - time) / 86_400e6 / half_life_days)
    return normalize(weights @ data.terms.toarray())


def test_score_is_the_cosine_between_item_and_profile() -> None:
    data = small_site()
    expected = cosine_similarity(data.matrix.toarray() @ data.terms.toarray(), data.terms.toarray())
    users = np.arange(NEWCOMER)
    np.testing.assert_allclose(scores(Content(**PLAIN), data, users), expected[users], atol=1e-6)


def test_score_is_the_formula_of_its_documentation() -> None:
    data = small_site()
    data = replace(data, timestamp=data.timestamp * 4)  # of some 46 days
    terms, counts = data.terms.toarray(), np.bincount(data.item_index, minlength=N_ITEMS)
    profiles = profiles_of(data, 10) - 0.3 * normalize([counts @ terms])
    expected = cosine_similarity(profiles, terms) + 0.5 * np.log1p(counts) / np.log1p(counts.max())
    users = np.arange(NEWCOMER)
    model = Content(popularity=0.5, balance=0.3, half_life_days=10)
    np.testing.assert_allclose(scores(model, data, users), expected[users], atol=1e-5)


@pytest.mark.parametrize("summed", [0, 10**9])
@pytest.mark.parametrize("parameters", [{}, PLAIN, {"popularity": 0.0}, {"balance": 0.0, "dislikes": 0.5}])
def test_large_batches_score_the_same_whatever_their_profiles(
    monkeypatch: pytest.MonkeyPatch, parameters: dict[str, float], summed: int
) -> None:
    data, users = small_site(), np.arange(NEWCOMER + 1)
    expected = scores(Content(**parameters), data, users)
    monkeypatch.setattr("recmodels.content.COMPILED_FROM", 1)
    monkeypatch.setattr("recmodels.scoring.term_kernels.SUMMED", summed)  # few sums: products of dense profiles
    found = scores(Content(**parameters), data, users)
    assert np.isneginf(found).tolist() == np.isneginf(expected).tolist()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_items_without_a_common_term_are_not_recommended_without_popularity() -> None:
    terms = sparse.csr_array(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32))
    data = Dataset.from_arrays([0], [0], terms=terms, n_items=3)
    model = Content(**PLAIN).fit(data)
    top = model.recommend(data, np.array([0]), 3)
    assert top.items.tolist() == [[1, -1, -1]]
    assert model.explain(data, np.array([0]), top).tolist() == [[0, -1, -1]]


def test_users_whose_items_have_no_text_get_what_is_popular() -> None:
    terms = sparse.csr_array(np.array([[0, 0], [0, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32))
    data = Dataset.from_arrays([0, 1, 1, 2, 2, 3], [0, 1, 2, 2, 3, 2], terms=terms, n_items=5)
    top = Content().fit(data).recommend(data, np.array([0]), 5)
    assert top.items[0].tolist() == [2, 1, 3, -1, -1]  # three users, one, one; nothing speaks for the last
    assert np.isfinite(top.scores[0, :3]).all()


def test_what_the_user_likes_of_late_counts_more() -> None:
    terms = sparse.csr_array(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32))
    days = np.array([0, 100]) * 86_400_000_000
    data = Dataset.from_arrays([0, 0], [1, 0], timestamp=days, terms=terms, n_items=4)
    model = Content(popularity=0, balance=0).fit(data)
    assert model.recommend(data, np.array([0]), 2).items.tolist() == [[2, 3]]
    assert Content(**PLAIN).fit(data).recommend(data, np.array([0]), 2).items.tolist() == [[2, 3]]  # a tie
    late = Dataset.from_arrays([0, 0], [0, 1], timestamp=days, terms=terms, n_items=4)
    assert model.recommend(late, np.array([0]), 2).items.tolist() == [[3, 2]]


def test_terms_of_disliked_items_count_against() -> None:
    terms = sparse.csr_array(normalize(np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]])).astype(np.float32))
    given = {"weight": [1, 0], "rating": [5, 1], "terms": terms, "n_items": 4}
    data = Dataset.from_arrays([0, 0], [0, 1], **given)
    assert Content(**PLAIN).fit(data).recommend(data, np.array([0]), 2).items.tolist() == [[2, 3]]
    fair, wary = (scores(Content(**(PLAIN | {"dislikes": d})), data, np.array([0]))[0] for d in (0, 0.5))
    assert fair[2] == fair[3] and wary[2] > fair[2] > wary[3]


def test_the_terms_that_matched_are_named_best_first() -> None:
    rows = normalize(np.array([[3, 2, 1, 0], [1, 2, 1, 0], [0, 0, 0, 1]], dtype=np.float32))
    data = Dataset.from_arrays([0], [0], terms=sparse.csr_array(rows), n_items=3)
    model = Content().fit(data)
    matched = model.matched_terms(np.array([0, 0], np.int32), np.array([1, 2], np.int32), 2)
    assert matched.tolist() == [[1, 0], [-1, -1]]  # products of 4 and 3, and of 1


def test_a_catalogue_without_terms_is_refused() -> None:
    with pytest.raises(DataRefused, match="no terms"):
        Content().fit(Dataset.from_arrays([0], [0]))


@pytest.mark.parametrize("wrong", [{"balance": 1.0}, {"popularity": -1.0}, {"half_life_days": 0.0}])
def test_impossible_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"Content: {next(iter(wrong))} is"):
        Content(**wrong).fit(small_site())


def test_vectors_share_the_likeness_with_terms() -> None:
    data = small_site()
    vectors = normalize(np.random.default_rng(3).random((data.n_items, 4)), axis=1).astype(np.float32)
    terms = data.terms.toarray()
    model = Content(vector_share=0.25, **PLAIN).fit(replace(data, item_vectors=vectors))
    both = terms.any(axis=1)[:, None] & terms.any(axis=1)
    expected = 0.75 * cosine_similarity(terms) + 0.25 * vectors @ vectors.T
    found = (model.terms_ @ model.terms_.T).toarray()
    np.testing.assert_allclose(found[both], expected[both], atol=1e-6)
    alone = scores(Content(vector_share=1, **PLAIN), replace(data, item_vectors=vectors), np.arange(5))
    profile = data.matrix.toarray()[:5] @ vectors
    np.testing.assert_allclose(alone, cosine_similarity(profile, vectors), atol=1e-5)


def test_numbers_of_vectors_are_never_named_as_terms() -> None:
    data = small_site()
    model = Content().fit(replace(data, item_vectors=np.full((data.n_items, 2), np.sqrt(0.5), np.float32)))
    pairs = np.arange(4), np.arange(4) + 1
    found = model.matched_terms(*pairs, 5, np.ones(data.terms.shape[1], bool))
    assert (found < data.terms.shape[1]).all() and (found >= 0).any()
