"""Trends of users against what was planted, and their intervals."""

import numpy as np
import pytest

from recmodels.metrics.trends import levels, slope, slopes


def test_a_slope_is_that_of_least_squares_and_its_interval_knows_the_users() -> None:
    """Users differ a hundred times more than a night changes them, and still the change is certain."""
    draw = np.random.default_rng(0)
    habit, nights = draw.normal(0, 1, (50, 1)), np.array([0.0, 7, 14, 28])
    figures = habit + 0.01 * nights + draw.normal(0, 0.01, (50, 4))
    found = slope(figures, nights)
    assert found.value == pytest.approx(np.polyfit(nights, figures.mean(axis=0), 1)[0])
    assert found.certain and 0.0095 < found.low < 0.01 < found.high < 0.0105


@pytest.mark.slow
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
    assert np.isnan(slope(figures).low) and not slope(figures).certain  # of two users


def test_who_comes_and_who_leaves_is_no_trend() -> None:
    """Every night a user with a low figure leaves, and one with a higher one comes; nobody changes."""
    nights, per_night = 20, 30
    users = np.concatenate([np.arange(night, night + per_night) for night in range(nights)])
    days = np.repeat(np.arange(nights, dtype=float), per_night)
    figures = np.stack([users / 10, users / 10 + 0.5 * days], axis=1)
    still, rising = slopes(users, days, figures, draws=50)
    assert (still.value, still.certain) == (pytest.approx(0, abs=1e-12), False)
    assert (rising.value, rising.low, rising.high) == (pytest.approx(0.5),) * 3


def test_a_level_counts_every_row_once_and_its_interval_knows_that_rows_of_a_user_go_together() -> None:
    draw = np.random.default_rng(2)
    users = np.repeat(np.arange(80), 10)
    figures = draw.normal(0, 1, 80)[users]  # ten rows of a user are no more than one
    apart = draw.normal(0, 1, 800)
    together, each = levels(users.astype(np.int32), np.stack([figures, apart], axis=1))
    assert together.value == pytest.approx(figures.mean())
    assert together.high - together.low == pytest.approx(2 * 1.96 / np.sqrt(80), rel=0.25)
    assert each.high - each.low == pytest.approx(2 * 1.96 / np.sqrt(800), rel=0.25)
    (gap,) = levels(users.astype(np.int32), np.where(users % 2, 3.0, np.nan)[:, None])
    assert (gap.value, gap.low, gap.high) == (3, 3, 3)
