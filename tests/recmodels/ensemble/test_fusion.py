"""Candidates side by side, NDCG of what is ranked, and weights that rank well."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recmodels.ensemble.fusion import Candidates, RankingObjective, blended, fitted_weights, folds_of, summed
from recmodels.ensemble.kernels import best
from recmodels.metrics.ranking import per_user
from recmodels.ranking.topk import TopK

NOTHING = -np.inf
A = TopK(np.array([[2, 0], [1, -1]], np.int32), np.array([[3, 1], [5, NOTHING]], np.float32))
B = TopK(np.array([[0, 3], [-1, -1]], np.int32), np.array([[8, 8], [NOTHING, NOTHING]], np.float32))


def test_candidates_hold_the_rank_and_the_share_of_every_member() -> None:
    found = Candidates.of([A, B], 4)
    assert list(zip(found.user.tolist(), found.item.tolist(), strict=True)) == [(0, 0), (0, 2), (0, 3), (1, 1)]
    assert found.rank.tolist() == [[1, 0], [0, np.inf], [np.inf, 1], [0, np.inf]]
    assert found.share.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]  # one score for all is the highest
    assert found.starts.tolist() == [0, 3, 4]
    np.testing.assert_allclose(found.reciprocal(2)[0], [1 / 4, 1 / 3])


def test_candidates_are_ranked_with_ties_by_the_smaller_item() -> None:
    top = Candidates.of([A, B], 4).ranked(np.array([1.0, 2, 2, 7]), 2)
    assert top.items.tolist() == [[2, 3], [1, -1]]
    assert top.scores.tolist() == [[2, 2], [7, NOTHING]]


@given(st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=1, max_size=4), st.integers(1, 5))
def test_the_best_are_those_of_a_stable_sort(users: list[list[int]], k: int) -> None:
    starts = np.cumsum([0, *map(len, users)])
    scores = np.array([score for user in users for score in user], float)
    for user, row in enumerate(best(starts, scores, k)):
        expected = np.argsort(-scores[starts[user] : starts[user + 1]], kind="stable")[:k] + starts[user]
        assert row[row >= 0].tolist() == expected.tolist()


def random_candidates(seed: int, n_users: int = 60, n_items: int = 50) -> tuple[list[TopK], sparse.csr_array]:
    """Lists of three members, of which the second knows best; two items are relevant for each user."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((n_users, n_items), bool)
    for row in truth:
        row[rng.permutation(n_items)[:2]] = True
    lists = []
    for knows in (0.5, 3.0, 0.0):
        scores = rng.normal(size=truth.shape) + knows * truth
        items = np.argsort(-scores, axis=1)[:, :10].astype(np.int32)
        lists.append(TopK(items, np.take_along_axis(scores, items, axis=1).astype(np.float32)))
    return lists, sparse.csr_array(truth)


def test_the_ranking_objective_is_ndcg_as_the_metrics_define_it() -> None:
    lists, truth = random_candidates(0)
    candidates = Candidates.of(lists, truth.shape[1])
    scores = np.random.default_rng(1).normal(size=len(candidates))
    expected = per_user(candidates.ranked(scores, 5).items, truth)["ndcg"]
    np.testing.assert_allclose(RankingObjective(candidates, truth, 5).per_user(scores), expected)


def test_weights_find_the_feature_that_ranks() -> None:
    wanted = np.array([0.1, 0.5, 0.2, 0.9])
    features = np.column_stack([[0.9, 0.2, 0.7, 0.1], wanted, [0.5, 0.5, 0.4, 0.5]])
    weights = fitted_weights(features, lambda scores: float(scores @ wanted / np.linalg.norm(scores)))
    assert weights.tolist() == pytest.approx([0, 1, 0], abs=0.1) and weights.sum() == pytest.approx(1)


def test_sums_do_not_depend_on_the_number_of_rows() -> None:
    rng = np.random.default_rng(0)
    features, weights = rng.random((1000, 7)), rng.random(7)
    whole = summed(features, weights)
    np.testing.assert_allclose(whole, features @ weights)
    assert np.array_equal(whole[:3], summed(features[:3], weights))


def test_folds_are_as_large_as_one_another_and_follow_from_the_seed() -> None:
    folds = folds_of(23, 4)
    assert sorted(np.bincount(folds)) == [4, 4, 5, 5, 5]
    assert np.array_equal(folds, folds_of(23, 4)) and not np.array_equal(folds, folds_of(23, 5))


def test_a_blend_weights_the_informative_member_and_is_measured_on_other_users() -> None:
    lists, truth = random_candidates(3)
    candidates = Candidates.of(lists, truth.shape[1])
    objective = RankingObjective(candidates, truth, 10)
    blend = blended(objective, 10.0, 0)
    assert blend.weights.sum() == pytest.approx(1) and blend.weights.argmax() == 1
    equal = objective.per_user(candidates.reciprocal(10.0).mean(axis=1)).mean()
    assert equal < blend.value == pytest.approx(objective.per_user(blend.unseen).mean())
