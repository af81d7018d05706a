"""Exploration of one place, and the bandit that learns what to propose for it."""

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.simulation.behavior import NOTHING, Choices, Day
from recmodels.simulation.policies import Explored, Lists, Policy, Random, Reranking
from recmodels.simulation.run import NightSeen, simulate
from tests.recmodels.simulation.policies.test_trained import known_on
from tests.recmodels.simulation.tiny import Tiny


class Always(Policy):
    """The same items for everybody, from one on."""

    def __init__(self, name: str, first: int) -> None:
        self.name, self.first = name, first

    def lists(self, night, known, k, rng) -> Lists:
        items = np.tile(np.arange(self.first, self.first + k, dtype=np.int32), (len(known.here), 1))
        items[~known.here] = NOTHING
        return Lists(items)


def explored(**options) -> Explored:
    """Ten items from 0 on, whose last may be 20, 30, 40 or what it is."""
    usual = Always("usual", 0)
    proposers = [usual, Always("b", 20), Always("c", 20), Always("d", 30)]
    return Explored(usual, proposers, **{"epsilon": 0.4} | options)


def test_only_one_place_is_drawn_and_each_proposal_as_often_as_its_propensity_says():
    """20 is proposed by two of four, so it is shown to .4 · 2/4 of the users, and what is usual to .6 + .4 · 1/4."""
    known = known_on(3, Tiny(8000))
    lists = explored().lists(3, known, 10, np.random.default_rng(0))
    assert (lists.items[:, :9] == np.arange(9)).all()
    assert lists.propensity is not None
    for item, chance in {9: 0.7, 20: 0.2, 30: 0.1}.items():
        shown = lists.items[:, 9] == item
        assert lists.propensity[shown, 9] == pytest.approx(chance)
        assert shown.mean() == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 8000))
    assert (lists.propensity[:, :9] == 1).all()
    assert lists.drawn is not None
    assert lists.drawn.names == ("usual", "b", "c", "d")
    assert (lists.drawn.proposals == [9, 20, 20, 30]).all()
    assert (lists.drawn.usual == 9).all()
    assert (lists.drawn.slot == 9).all()


def test_another_place_may_be_drawn():
    lists = explored(slot=2).lists(3, known_on(3), 10, np.random.default_rng(0))
    drawn = (lists.items != np.arange(10)).any(axis=0)
    assert np.flatnonzero(drawn).tolist() == [1]


def test_what_is_drawn_keeps_the_rules_of_the_lists():
    """Items are in four categories, in turn: 20 would be the fourth of its own, so 21 is proposed."""
    policy = explored()
    policy.policy.rules = Reranking(max_per_category=3)
    lists = policy.lists(3, known_on(3), 10, np.random.default_rng(0))
    assert lists.drawn is not None and (lists.drawn.proposals[lists.drawn.slot != NOTHING] == [9, 21, 21, 30]).all()


def test_who_is_not_there_has_no_list_and_no_draw():
    known = known_on(0)
    lists = explored().lists(0, known, 10, np.random.default_rng(0))
    assert (lists.items[~known.here] == NOTHING).all()
    assert lists.drawn is not None
    assert (lists.drawn.slot[~known.here] == NOTHING).all()


def test_without_epsilon_lists_are_as_they_were():
    known = known_on(3)
    lists = explored(epsilon=0).lists(3, known, 10, np.random.default_rng(0))
    assert (lists.items == np.arange(10)).all()
    assert (lists.propensity == 1).all()


def clicked_if(policy: Explored, known, liked: int) -> None:
    """A night on which everybody looks at the drawn place, and clicks one item."""
    lists = policy.lists(known.night, known, 10, np.random.default_rng(known.night))
    users = known.users
    seen = lists.items[users, 9]
    rank = np.full(len(users), 10, np.int32)
    policy.happened(known.night, lists, Day(known.here, users, seen, rank, seen == liked, Choices.none(), np.empty(0)))


@pytest.mark.parametrize("choose", ["thompson", "linucb"])
def test_a_bandit_comes_to_propose_what_pleases(choose):
    policy = explored(choose=choose, epsilon=1.0)
    known = known_on(3, Tiny(400))
    for _ in range(3):
        clicked_if(policy, known, 30)
    lists = policy.lists(3, known, 10, np.random.default_rng(9))
    assert lists.drawn is not None
    assert (lists.drawn.shares[:, 3] > 0.9).all()
    assert (lists.items[:, 9] == 30).mean() > 0.9


def test_what_is_shown_counts_for_its_proposers_by_the_chance_that_it_was_their_draw():
    """Of 9, which is shown to .6 + .4 · 1/4 of the users, a draw brought .4 · 1/4; b and c share those of 20."""
    policy, known = explored(choose="thompson", epsilon=0.4), known_on(3, Tiny(400))
    shown = policy.lists(3, known, 10, np.random.default_rng(3)).items[known.users, 9]
    clicked_if(policy, known, 30)
    nines, twenties, thirties = ((shown == item).sum() for item in (9, 20, 30))
    n, reward, square = np.moveaxis(policy.pulls.sum(axis=(0, 1)), -1, 0)
    assert n == pytest.approx([nines / 7, twenties / 2, twenties / 2, thirties], rel=0.05)  # shares are simulated
    assert reward == pytest.approx([0, 0, 0, thirties], abs=1e-9)
    assert square == pytest.approx(reward)


def test_alike_they_stay_without_a_bandit():
    policy, known = explored(epsilon=1.0), known_on(3, Tiny(400))
    clicked_if(policy, known, 30)
    lists = policy.lists(3, known, 10, np.random.default_rng(9))
    assert lists.drawn is not None
    assert (lists.drawn.shares == 0.25).all()


def test_the_simulation_hands_on_the_propensities():
    seen: list[NightSeen] = []
    simulate(Tiny(), explored(), 2, observe=seen.append)
    for night in seen:
        assert night.propensity is not None
        assert night.propensity.min() < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 1.5}, "epsilon is 1.5"),
        ({"slot": 0}, "slot is 0"),
        ({"proposers": []}, "at least one policy"),
        ({"proposers": [Random(), Random()]}, "a name of its own"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Explored(**{"policy": Random(), "proposers": [Random()]} | options)
