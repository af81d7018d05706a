"""Long-term figures by hand, against scipy, and their trends against what was planted."""

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.spatial.distance import jensenshannon

from recmodels.metrics.long_term import (
    discounted_exposure,
    divergence,
    entropy,
    group_exposure,
    jaccard,
    miscalibration,
    popularity_lift,
    slope,
    unseen_share,
)

LISTS = np.array([[0, 1, 2], [1, 0, -1], [3, -1, -1], [-1, -1, -1]])


def test_exposure_counts_places_by_how_likely_they_are_looked_at() -> None:
    second, third = 1 / np.log2(3), 1 / 2
    assert discounted_exposure(LISTS, 5) == pytest.approx([1 + second, second + 1, third, 1, 0])
    assert discounted_exposure(LISTS, 5, patience=0.5) == pytest.approx([1.5, 1.5, 0.25, 1, 0])


def test_items_in_no_list_of_any_night_are_unseen() -> None:
    assert unseen_share(np.array([[1, 0, 0, 2], [0, 0, 3, 0]], float)) == 0.25


def test_divergence_is_that_of_scipy_and_bounded() -> None:
    p, q = np.array([4.0, 1, 0, 5]), np.array([1.0, 1, 1, 1])
    assert divergence(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert divergence(p, 3 * p) == pytest.approx(0)
    assert divergence(np.array([1.0, 0]), np.array([0.0, 2])) == pytest.approx(1)
    assert np.isnan(divergence(np.zeros(2), np.ones(2)))


def test_groups_share_the_exposure_of_their_items() -> None:
    shares = group_exposure(np.array([1.0, 2, 3, 4]), np.array([0, 1, 0, -1]), 3)
    assert shares == pytest.approx([4 / 6, 2 / 6, 0])


def test_lists_twice_as_popular_as_profiles_have_a_lift_of_one() -> None:
    """User 0 chose items of popularity .1 and .3, user 2 one of .2; the third has no profile, the last no list."""
    popularity = np.array([0.1, 0.3, 0.8, 0.2])
    profiles = sparse.csr_array(np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]], float))
    assert popularity_lift(LISTS, profiles, popularity) == pytest.approx(((1.2 / 3 + 0.2) / 2 - 0.2) / 0.2)


def test_a_list_of_the_users_own_mix_is_calibrated() -> None:
    profile, listed = np.array([[2.0, 2], [1, 0], [0, 0]]), np.array([[5.0, 5], [0, 3], [1, 1]])
    mixed = np.array([0.01, 0.99])
    found = miscalibration(profile, listed)
    assert found[:2] == pytest.approx([0, stats.entropy([1, 0], mixed)]) and np.isnan(found[2])


def test_pairs_of_lists_have_the_share_in_common_that_sets_have() -> None:
    found = jaccard(LISTS, np.array([[0, 1], [0, 2], [0, 0], [3, 3]]))
    assert found[:3] == pytest.approx([2 / 3, 0, 1]) and np.isnan(found[3])


def test_entropy_is_that_of_scipy() -> None:
    counts = np.array([[1.0, 1, 2], [0, 7, 0], [0, 0, 0]])
    found = entropy(counts)
    assert found[:2] == pytest.approx([stats.entropy([1, 1, 2], base=2), 0]) and np.isnan(found[2])


def test_a_slope_is_that_of_least_squares_and_its_interval_knows_the_users() -> None:
    """Users differ a hundred times more than a night changes them, and still the change is certain."""
    draw = np.random.default_rng(0)
    habit, nights = draw.normal(0, 1, (50, 1)), np.array([0.0, 7, 14, 28])
    figures = habit + 0.01 * nights + draw.normal(0, 0.01, (50, 4))
    found = slope(figures, nights)
    assert found.value == pytest.approx(np.polyfit(nights, figures.mean(axis=0), 1)[0])
    assert found.certain and 0.0095 < found.low < 0.01 < found.high < 0.0105


def test_without_a_trend_the_interval_holds_zero_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    certain = 0
    for _ in range(300):
        figures = draw.normal(0, 1, (60, 1)) + draw.normal(0, 1, (60, 10))
        certain += slope(figures, draws=200).certain
    assert certain / 300 == pytest.approx(0.05, abs=0.03)


def test_users_who_are_away_on_a_night_are_left_out_of_it() -> None:
    figures = np.array([[1.0, np.nan, 3], [1, 2, 3], [np.nan, np.nan, np.nan]])
    assert slope(figures, draws=20).value == pytest.approx(1)
