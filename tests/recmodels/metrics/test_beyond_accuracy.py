"""Figures beyond accuracy, from their definitions."""

import numpy as np
import pytest

from recmodels.metrics import beyond_accuracy as beyond

LISTS = np.array([[0, 1], [0, 2], [3, -1], [0, 1]], np.int32)
USERS_OF_ITEM = np.array([8, 4, 1, 0])  # of 8 users


def test_exposure_and_its_gini_worked_by_hand() -> None:
    shown = beyond.exposure(LISTS, 4)
    assert shown.tolist() == [3, 2, 1, 1]
    # 1, 1, 2, 3 ascending: (-3 * 1 - 1 * 1 + 1 * 2 + 3 * 3) / (4 * 7)
    assert beyond.gini(shown) == pytest.approx(7 / 28)
    assert beyond.gini(np.array([5, 5, 5])) == 0
    assert beyond.gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    assert beyond.gini(np.zeros(3, np.int64)) == 0


def test_popularity_novelty_and_cold_items_are_means_over_the_list() -> None:
    assert beyond.average_popularity(LISTS, USERS_OF_ITEM, 8).tolist() == [0.75, 9 / 16, 0, 0.75]
    assert beyond.novelty(LISTS, USERS_OF_ITEM, 8).tolist() == [0.5, 1.5, 3, 0.5]
    assert beyond.cold_share(LISTS, USERS_OF_ITEM).tolist() == [0, 0, 1, 0]
    assert np.isnan(beyond.cold_share(np.full((1, 3), -1, np.int32), USERS_OF_ITEM)).all()


def test_serendipity_counts_hits_that_are_not_popular() -> None:
    hits = np.array([[True, True], [True, True], [True, False], [False, False]])
    assert beyond.serendipity(LISTS, hits, USERS_OF_ITEM).tolist() == [0, 0.5, 0.5, 0]


def test_personalisation_is_the_mean_over_all_pairs_of_lists() -> None:
    rng = np.random.default_rng(0)
    lists = np.argsort(rng.random((30, 25)), axis=1)[:, :6].astype(np.int32)
    pairs = [(a, b) for a in range(30) for b in range(a)]
    expected = np.mean([1 - len(np.intersect1d(lists[a], lists[b])) / 6 for a, b in pairs])
    assert beyond.personalisation(lists, 25) == pytest.approx(expected)
    assert beyond.personalisation(np.tile(lists[:1], (5, 1)), 25) == 0
    assert np.isnan(beyond.personalisation(lists[:1], 25))


def test_identical_lists_have_the_same_items_in_the_same_places() -> None:
    assert beyond.identical_share(LISTS) == 0.5
    assert beyond.identical_share(np.array([[0, 1], [1, 0]], np.int32)) == 0
    many = np.argsort(np.random.default_rng(1).random((5000, 30)), axis=1)[:, :5].astype(np.int32)
    _, back, count = np.unique(many, axis=0, return_inverse=True, return_counts=True)
    assert beyond.identical_share(many) == (count[back.ravel()] > 1).mean()
