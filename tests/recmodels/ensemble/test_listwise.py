"""The conditional logit of the members' lists."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recmodels.ensemble.fusion import Candidates, RankingObjective
from recmodels.ensemble.listwise import PENALTY, linear_features, regressed
from recmodels.ranking.topk import TopK
from tests.recmodels.ensemble.test_fusion import A, B, random_candidates


def test_what_is_seen_of_a_candidate() -> None:
    """User 0 has items 0, 2 and 3; A lists 2, then 0, and B lists 0, then 3 with the same score."""
    rows = linear_features(Candidates.of([A, B], 4))
    listed, rank, share = np.split(rows, 3, axis=1)
    assert listed.tolist() == [[1, 1], [1, 0], [0, 1], [1, 0]]
    np.testing.assert_allclose(rank, np.log([[2, 1], [1, 1], [1, 2], [1, 1]]))
    assert share.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


def test_of_two_candidates_it_is_the_logistic_regression_of_their_difference() -> None:
    """One of two is chosen: P = 1 / (1 + exp(-w (x_chosen - x_other))), which scikit-learn fits."""
    rng = np.random.default_rng(0)
    n = 400
    items = np.argsort(rng.random((n, 2)), axis=1).astype(np.int32)
    first = TopK(items, np.tile(np.float32([2, 1]), (n, 1)))
    second = TopK(items[:, :1], np.ones((n, 1), np.float32))
    chosen = items[np.arange(n), (rng.random(n) > 0.8).astype(int)]
    truth = sparse.csr_array((np.ones(n, bool), (np.arange(n), chosen)), shape=(n, 2))
    objective = RankingObjective(Candidates.of([first, second], 2), truth, 2)
    rows = linear_features(objective.candidates)
    scale = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1)
    pairs = (rows / scale).reshape(n, 2, -1)
    difference, sign = pairs[:, 0] - pairs[:, 1], np.where(chosen == 0, 1, -1)
    expected = LogisticRegression(C=1 / (2 * PENALTY), fit_intercept=False, tol=1e-8).fit(difference, sign).coef_[0]
    np.testing.assert_allclose(regressed(objective, 0).coefficients * scale, expected, atol=1e-4)


def test_the_informative_member_decides_and_other_users_measure() -> None:
    lists, truth = random_candidates(3)
    objective = RankingObjective(Candidates.of(lists, truth.shape[1]), truth, 10)
    found = regressed(objective, 0)
    assert np.abs(found.coefficients.reshape(3, -1)[2]).argmax() == 1
    equal = objective.per_user(objective.candidates.share.mean(axis=1)).mean()
    assert equal < found.value == pytest.approx(objective.per_user(found.unseen).mean())


def test_where_one_user_alone_has_found_anything_the_others_teach_nothing() -> None:
    lists, truth = random_candidates(3, n_users=10)
    of_one = sparse.csr_array(truth.toarray() & (np.arange(10) == 4)[:, None])
    objective = RankingObjective(Candidates.of(lists, truth.shape[1]), of_one, 10)
    assert objective.relevant.any()
    found = regressed(objective, 0)
    assert np.isfinite(found.coefficients).all() and found.coefficients.any()
    assert not found.unseen[objective.candidates.user == 4].any()  # nobody else says how to rank theirs
