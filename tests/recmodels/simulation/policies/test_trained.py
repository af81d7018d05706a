"""Recommenders as policies."""

import numpy as np
import pytest

from recmodels import registry
from recmodels.errors import ConfigError
from recmodels.fallback import serve
from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.known import Known, Log, terms_of
from recmodels.simulation.policies import MostPopular, Policy, Trained
from tests.recmodels.simulation.tiny import Tiny

RNG = np.random.default_rng(0)


def known_on(night: int, tiny: Tiny | None = None) -> Known:
    tiny = tiny or Tiny()
    log = Log(tiny.world, terms_of(tiny.texts()))
    log.append(tiny.history())
    return log.known(night, tiny.here(night))


def lists_of(policy: Policy, known: Known) -> np.ndarray:
    return policy.lists(known.night, known, 5, np.random.default_rng(1)).items


@pytest.mark.parametrize("name", ["item_knn", "als", "ease", "content"])
def test_its_lists_are_those_that_a_night_serves_of_the_recommender(name):
    known, policy = known_on(2), Trained(name)
    policy.learn(2, known, np.random.default_rng(3))
    seed = int(np.random.default_rng(3).integers(2**31))
    model = registry.create(name, seed=seed).fit(known.data)
    popular = registry.create("popularity").fit(known.data)
    served = serve(model, popular, known.data, known.users, 5, allowed=known.out)
    assert (lists_of(policy, known) == served.items).all()


def test_users_who_came_after_the_training_of_a_model_that_knows_users_get_what_is_popular():
    tiny = Tiny()
    log = Log(tiny.world)
    log.append(tiny.history())
    policy = Trained("bpr", {"epochs": 1})
    policy.learn(0, log.known(0, tiny.here(0)), np.random.default_rng(0))
    log.append(tiny.react(np.full((40, 5), NOTHING, np.int32), 2, RNG).choices)
    known = log.known(3, tiny.here(3))
    late = np.flatnonzero(tiny.world.arrives > 0)
    assert (np.diff(known.data.indptr)[late] > 0).all()
    assert policy.fallback is not None
    popular = policy.fallback.recommend(known.data, known.users, 5, allowed=known.out).items
    alike = (lists_of(policy, known) == popular).all(axis=1)
    assert alike[late].all()
    assert not alike.all()


def test_as_long_as_nobody_has_chosen_anything_lists_are_random():
    known = known_on(0, Tiny(before=0))
    policy = MostPopular()
    policy.learn(0, known, np.random.default_rng(0))
    lists = lists_of(policy, known)
    assert (lists[known.users] != NOTHING).all()
    assert len(np.unique(lists[known.users])) > 40


@pytest.mark.parametrize(
    "policy",
    [
        MostPopular(),
        Trained("als", {"factors": 4}),
        Trained("bpr", {"epochs": 1}),
        Trained("ensemble", {"members": ["popularity", "item_knn"]}),
    ],
)
def test_restored_it_makes_the_same_lists(policy):
    known = known_on(2)
    policy.learn(2, known, np.random.default_rng(3))
    again = Trained(policy.recommender, policy.parameters)
    again.restore(policy.state())
    assert (lists_of(again, known) == lists_of(policy, known)).all()


def test_restored_to_before_its_training_it_knows_nothing():
    known, policy = known_on(2), MostPopular()
    policy.learn(2, known, np.random.default_rng(3))
    policy.restore(MostPopular().state())
    assert policy.model is None


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [("alz", {}, "did you mean 'als'"), ("als", {"factor": 3}, "factors"), ("als", {"factors": 0}, "factors is 0")],
)
def test_what_does_not_exist_is_refused_at_once(name, parameters, message):
    with pytest.raises(ConfigError, match=message):
        Trained(name, parameters)
