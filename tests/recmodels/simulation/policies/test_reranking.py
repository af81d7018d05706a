"""Rules of lists in a simulation."""

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.simulation.policies import Reranking, Trained
from tests.recmodels.simulation.policies.test_trained import known_on, lists_of
from tests.recmodels.simulation.tiny import Tiny


def shown(rules: Reranking | None, night: int = 3) -> np.ndarray:
    """The lists of those who are there, by a model that ranks all that anybody has chosen."""
    known, policy = known_on(night, Tiny(before=6)), Trained("als", {"factors": 4}, rules=rules)
    policy.learn(night, known, np.random.default_rng(0))
    return lists_of(policy, known)[known.users]


def test_the_defaults_change_nothing():
    assert (shown(Reranking()) == shown(None)).all()


def test_no_category_has_more_places_than_its_cap():
    """Of four categories, so that there are four items."""
    kinds = [np.bincount(items[items >= 0] % 4).tolist() for items in shown(Reranking(max_per_category=1))]
    assert kinds == [[1, 1, 1, 1]] * len(kinds)


def test_damping_lowers_what_many_chose():
    known = known_on(3, Tiny(before=6))
    popularity = known.popularity()
    assert popularity.max() == 1
    assert popularity[shown(Reranking(popularity_damping=5.0))].mean() < popularity[shown(None)].mean()


def test_new_items_have_their_share_while_they_are_new():
    """Of the 60 items of the tiny market, 50 were there before, and one appears each night."""
    new = shown(Reranking(new_share=0.4, new_days=2.0)) >= 52
    assert (new.sum(axis=1) >= 1).all()
    assert not (shown(None) >= 52).any()


def test_a_category_has_its_least_share_of_the_exposure():
    places = 1 / np.log2(np.arange(2, 7))

    def share(items: np.ndarray) -> float:
        return float(((items % 4 == 3) * places).sum() / (len(items) * places.sum()))

    assert share(shown(Reranking(least={3: 0.4}))) == pytest.approx(0.4, abs=0.03)
    assert abs(share(shown(None)) - 0.4) > 0.05


def test_variety_is_of_terms():
    """All items of a category have the same term, so that variety is of categories."""
    kinds = [len(np.unique(items % 4)) for items in shown(Reranking(relevance_weight=0.1))]
    assert min(kinds) == 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"calibration": 1.5}, "calibration is 1.5; give a number from 0 to 1"),
        ({"least": {2: -1}}, "least.2 is -1"),
        ({"popularity_damping": 11}, "popularity_damping is 11"),
        ({"pool": 0}, "pool is 0"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Reranking(**values)


def test_only_what_is_not_the_default_is_named():
    assert str(Reranking(calibration=0.5, pool=20)) == "calibration=0.5, pool=20"
