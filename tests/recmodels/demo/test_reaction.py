"""The demo site's users react: they see what stands high, click what they like, and come to like what they consume."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from recmodels.data.arrays import Longs
from recmodels.demo.catalogue import Calendar, make_audience, make_catalogue
from recmodels.demo.reaction import Truth, react


@pytest.fixture(scope="module")
def first() -> Truth:
    rng = np.random.default_rng(0)
    calendar = Calendar(date(2026, 1, 1), 30)
    catalogue = make_catalogue(400, calendar, rng)
    return Truth.at_first(catalogue, make_audience(4_000, calendar, catalogue, rng), rng)


@pytest.fixture
def truth(first: Truth) -> Truth:
    return replace(first, niches=first.niches.copy(), weights=first.weights.copy(), mood=first.mood.copy())


def some_lists(truth: Truth, k: int = 10) -> Longs:
    rng = np.random.default_rng(1)
    return np.argsort(rng.random((truth.mood.size, truth.quality.size)), axis=1)[:, :k]


def test_a_place_is_seen_the_less_the_lower_it_is(truth: Truth) -> None:
    day = react(truth, some_lists(truth), np.random.default_rng(2))
    seen = np.bincount(day.seen_rank, minlength=11)[1:]
    share = np.arange(1, 11) ** -0.8
    assert seen[0] == day.visitors.size
    assert np.abs(seen / day.visitors.size - share).max() < 4 * np.sqrt(0.25 / day.visitors.size)


def test_clicks_come_as_often_as_the_truth_says(truth: Truth) -> None:
    day = react(truth, some_lists(truth), np.random.default_rng(2))
    chance = truth.click_chance(day.seen_user, day.seen_item)
    assert abs(day.clicked.mean() - chance.mean()) < 4 * np.sqrt((chance * (1 - chance)).mean() / chance.size)
    assert (chance > 0).all()
    assert (chance < 1).all()


def test_as_many_clicks_are_expected_as_come(truth: Truth) -> None:
    lists = some_lists(truth)
    expected = truth.expected_clicks(lists).sum()
    come = [react(truth, lists, np.random.default_rng(seed)).clicked.sum() for seed in range(10)]
    assert np.mean(come) == pytest.approx(expected, abs=4 * np.std(come, ddof=1) / np.sqrt(10))


def test_the_chance_of_a_click_is_quality_times_taste(truth: Truth) -> None:
    item = np.array([0, 399])  # of the first genre and of the last one
    truth.niches[0] = truth.catalogue.niche[0]  # the niche of item 0, four times
    truth.niches[1] = [truth.catalogue.niche[0], truth.catalogue.niche[0] + 1, *truth.catalogue.niche[[399, 399]]]
    users = np.array([0, 1])
    liked = np.array([[1, 0.4 + 0.25 * 0.25], [0, 0.35]])  # [item, user]; its genre alone counts a quarter
    for one, match in zip(item, liked, strict=True):
        chance = truth.quality[one] * (0.03 + 0.6 * match)
        assert truth.click_chance(users, np.repeat(one, 2)) == pytest.approx(chance)


def test_users_stay_away_who_have_left_or_never_came_and_empty_places_are_not_seen(truth: Truth) -> None:
    lists = some_lists(truth)
    lists[:, 3:] = -1
    day = react(truth, lists, np.random.default_rng(2))
    gone = (truth.audience.leaves < 30) | (truth.audience.activity == 0)
    assert gone.sum() > 500
    assert not gone[day.visitors].any()
    assert day.seen_rank.max() == 3
    assert set(day.user) <= set(day.visitors)
    assert (np.diff(day.seconds) >= 0).all()
    assert day.seconds.max() < 86_400


def test_taste_moves_to_what_is_consumed_and_a_new_niche_takes_the_place_of_the_least(truth: Truth) -> None:
    catalogue = truth.catalogue
    truth.niches[0] = [3, 4, 5, 6]
    of_niche = {niche: int(np.searchsorted(catalogue.niche, niche)) for niche in (3, 9)}
    truth.learn(np.array([0]), np.array([of_niche[3]]))
    assert truth.weights[0] == pytest.approx(np.array([0.42, 0.25, 0.2, 0.15]) / 1.02)
    assert truth.weights[1] == pytest.approx([0.4, 0.25, 0.2, 0.15])

    truth.weights[0] = [0.4, 0.3, 0.27, 0.03]
    truth.learn(np.array([0]), np.array([of_niche[9]]))
    assert truth.niches[0].tolist() == [3, 4, 5, 6]
    truth.learn(np.array([0]), np.array([of_niche[9]]))
    assert truth.niches[0].tolist() == [3, 4, 5, 9]
    assert truth.weights.sum(axis=1) == pytest.approx(1)


def test_who_is_pleased_comes_more_often(truth: Truth) -> None:
    before = truth.visit_chance()
    here = np.flatnonzero(before > 0)[:2]
    truth.please(here, np.array([True, False]))
    after = truth.visit_chance()
    assert after[here[0]] > before[here[0]]
    assert after[here[1]] < before[here[1]]
    assert truth.mood[here] == pytest.approx([0.3 + 0.2 * 0.7, 0.3 - 0.2 * 0.3])
