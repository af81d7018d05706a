"""Long-term figures by hand, against scipy, and what each user adds to them."""

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.spatial.distance import jensenshannon

from recmodels.metrics.beyond_accuracy import gini
from recmodels.metrics.long_term import (
    contributions,
    discounted_exposure,
    divergence,
    divergence_gradient,
    entropy,
    entropy_gradient,
    gini_gradient,
    group_exposure,
    jaccard,
    miscalibration,
    popularity_lift,
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


def _added_by_users(counts: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    """Three figures of what all users have together, and what each user adds to them."""
    shares = counts.sum(axis=0) / counts.sum()
    target = np.full(counts.shape[1], 1 / counts.shape[1])
    figures = {
        "gini": (gini(shares), gini_gradient(shares)),
        "divergence": (divergence(shares, target), divergence_gradient(shares, target)),
        "entropy": (entropy(shares[None])[0], entropy_gradient(shares)),
    }
    totals = counts.sum(axis=1)
    return {
        name: (value, contributions(value, gradient, shares, counts @ gradient, totals))
        for name, (value, gradient) in figures.items()
    }


def test_what_users_add_has_the_figure_as_its_mean() -> None:
    counts = np.random.default_rng(3).poisson(np.linspace(0.1, 3, 12), (200, 12)).astype(float)
    counts[0] = 0
    for value, parts in _added_by_users(counts).values():
        assert np.isnan(parts[0]) and np.nanmean(parts) == pytest.approx(value)


@pytest.mark.slow
def test_what_users_add_says_how_a_figure_varies_with_who_they_are() -> None:
    """By its standard error, against the spread of the figure over drawn samples of users."""
    draw = np.random.default_rng(4)
    counts = draw.poisson(np.linspace(0.5, 3, 8) * draw.gamma(3, 1, (400, 8))).astype(float)
    added = _added_by_users(counts)
    samples = [_added_by_users(counts[draw.integers(0, 400, 400)]) for _ in range(300)]
    for name, (_, parts) in added.items():
        spread = np.std([one[name][0] for one in samples])
        assert np.nanstd(parts) / 20 == pytest.approx(spread, rel=0.2)
