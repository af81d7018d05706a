"""Trees as arrays give what scikit-learn gives; features and stages are what they say."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.ensemble.fusion import Candidates, RankingObjective, blended
from recmodels.ensemble.stacking import Trees, features, item_features, stacked, user_features
from tests.recmodels.ensemble.test_fusion import random_candidates


def test_trees_give_the_decision_function_of_the_library() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 4)).round(1)
    booster = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=6, early_stopping=False)
    booster.fit(rows, rows[:, 0] * rows[:, 1] + rng.normal(size=500) > 0)
    other = rng.normal(size=(300, 4)).round(1)
    trees = Trees.of(booster)
    np.testing.assert_allclose(trees.scores(other), booster.decision_function(other), rtol=1e-12)
    assert len(Trees.none().roots) == 0


def test_item_features_are_popularity_and_recent_popularity() -> None:
    data = Dataset.from_arrays(
        [0, 0, 1, 2], [0, 1, 0, 0], timestamp=np.array([0, 30, 30, 30]) * DAY, n_items=3, end=30 * DAY
    )
    total = np.log1p([3, 1, 0]) / np.log(4)
    late = np.log1p([2.5, 1, 0]) / np.log(3.5)  # a month counts half
    np.testing.assert_allclose(item_features(data), np.column_stack([total, late]))


def test_user_features_are_length_of_history_and_days_away() -> None:
    data = Dataset.from_arrays([0, 0, 2], [0, 1, 0], timestamp=np.array([0, 3, 1]) * DAY, end=5 * DAY)
    expected = [[np.log(3), np.log(3)], [0, 0], [np.log(2), np.log(5)]]
    np.testing.assert_allclose(user_features(data, np.array([0, 1, 2])), expected)


def test_the_features_of_a_candidate() -> None:
    lists, truth = random_candidates(0)
    candidates = Candidates.of(lists, truth.shape[1])
    items, users = np.random.default_rng(0).random((2, 60, 2))
    rows = features(candidates, items, users)
    assert rows.shape == (len(candidates), 3 + 7)
    np.testing.assert_array_equal(rows[:, :3], candidates.share)
    np.testing.assert_array_equal(rows[:, 3], np.isfinite(candidates.rank).sum(axis=1))
    np.testing.assert_allclose(rows[:, 4], (1 / (11 + candidates.rank)).mean(axis=1))
    np.testing.assert_array_equal(rows[:, 6:], np.hstack([items[candidates.item], users[candidates.user]]))


@pytest.mark.slow
def test_a_stack_is_measured_on_users_it_was_not_fitted_on() -> None:
    lists, truth = random_candidates(1, n_users=200)
    objective = RankingObjective(Candidates.of(lists, truth.shape[1]), truth, 10)
    blend = blended(objective, 10.0, 0)
    noise = np.random.default_rng(0).normal(size=(len(objective.relevant), 30))  # memorized, it helps no other user
    by_heart = stacked(objective, noise, blend.log_odds, 30, 16, 0.1, 0)
    fitted = objective.per_user(by_heart.trees.scores(noise) + by_heart.blend * blend.log_odds).mean()
    assert by_heart.value < fitted
    knowing = np.column_stack([objective.candidates.share, objective.relevant])
    assert stacked(objective, knowing, blend.log_odds, 30, 16, 0.1, 0).value > 0.8
