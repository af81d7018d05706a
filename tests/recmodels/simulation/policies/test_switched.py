"""A policy that gives way to another."""

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.simulation.policies import MostPopular, Random, Switched
from recmodels.simulation.run import NightSeen, simulate
from tests.recmodels.simulation.test_run import Watching
from tests.recmodels.simulation.tiny import Tiny


def test_until_the_night_one_is_in_charge_and_then_the_other():
    first, then = Watching("first"), Watching("then")
    simulate(Tiny(), Switched(first, 3, then), 6)
    assert ([night for night, _ in first.learned], first.told) == ([0, 1, 2], [0, 1, 2])
    assert ([night for night, _ in then.learned], then.told) == ([3, 4, 5], [3, 4, 5])


@pytest.mark.parametrize("retrain_every", [None, 5])
def test_the_other_learns_on_the_night_of_the_switch_whenever_policies_learn(retrain_every):
    first, then = Watching("first"), Watching("then")
    simulate(Tiny(), Switched(first, 3, then), 8, retrain_every=retrain_every)
    assert [night for night, _ in first.learned] == [0]
    assert [night for night, _ in then.learned] == ([3, 5] if retrain_every else [3])


def test_lists_are_those_of_the_one_in_charge():
    seen: list[NightSeen] = []
    simulate(Tiny(), Switched(Random(), 2, MostPopular()), 4, observe=seen.append)
    different = [len(np.unique(night.lists.items[night.known.users], axis=0)) for night in seen]
    assert min(different[:2]) > 20
    popular = MostPopular()
    popular.learn(3, seen[3].known, np.random.default_rng(0))
    assert (seen[3].lists.items == popular.lists(3, seen[3].known, 10, np.random.default_rng(0)).items).all()


def test_it_needs_nights_before_the_switch():
    with pytest.raises(ConfigError, match="give 1 or more"):
        Switched(Random(), 0, MostPopular())
