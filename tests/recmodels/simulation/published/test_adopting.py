import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.metrics.beyond_accuracy import gini
from recmodels.simulation.behavior import Choices
from recmodels.simulation.published.adopting import Adopting, Scored, concentration, individual_diversity
from recmodels.simulation.run import NightSeen, simulate


def small(adoption: float) -> Adopting:
    return Adopting.generated(2, adoption, n_users=30, n_items=60, awareness=12)


def test_only_the_adopted_share_of_purchases_comes_from_the_list() -> None:
    shares = []
    for adoption in (0.0, 0.4, 1.0):
        behavior = small(adoption)
        lists = np.tile(np.arange(5, dtype=np.int32), (30, 1))
        days = [behavior.react(lists, night, np.random.default_rng(night)) for night in range(20)]
        ranks = Choices.joined([day.choices for day in days]).rank
        assert len(ranks) == 20 * behavior.baskets.sum()
        shares.append((ranks > 0).mean())
    assert shares[0] == 0 and shares[2] == 1
    assert abs(shares[1] - 0.4) < 4 * np.sqrt(0.24 / len(ranks))


def test_items_are_taken_in_proportion_to_their_pull() -> None:
    behavior = small(1.0)
    behavior.pull = np.tile([3.0, 0.0, 1.0], (30, 1))
    lists = np.tile(np.array([[7, 8, 9]], np.int32), (30, 1))
    taken = np.concatenate(
        [behavior.react(lists, night, np.random.default_rng(night)).choices.rank for night in range(10)]
    )
    assert not (taken == 2).any()
    assert abs((taken == 1).mean() - 0.75) < 4 * np.sqrt(0.1875 / len(taken))


def test_users_choose_alone_among_what_they_are_aware_of() -> None:
    behavior = small(0.0)
    aware = behavior._aware(np.random.default_rng(0))
    assert (aware.sum(axis=1) == 12).all()
    best_known = np.argsort(-behavior.bought.sum(axis=0), kind="stable")[:4]
    assert aware[:, best_known].all()
    upto = behavior._own_chances(np.random.default_rng(0))
    chance = np.diff(upto, axis=1, prepend=0)
    assert ((chance > 1e-12) == aware).all()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
@settings(max_examples=30)
def test_concentration_is_the_gini_coefficient_of_what_a_user_had(counts: list[int]) -> None:
    had = np.array([count for count in counts if count])
    expected = gini(had) if len(had) else 0.0
    assert concentration(np.array([counts], float))[0] == pytest.approx(expected)


def test_individual_diversity_is_the_share_of_the_possible_entropy() -> None:
    user, item = np.array([0, 0, 0, 0, 1, 1, 2], np.int32), np.array([0, 0, 1, 1, 2, 3, 0], np.int32)
    choices = Choices(user, item, np.zeros(7, np.int32), np.zeros(7, np.int32))
    np.testing.assert_allclose(individual_diversity(choices, 3, 4), [0.5, 1.0, np.nan])  # 1 bit of 2, 1 of 1


def test_a_scored_recommender_learns_how_often_items_were_bought_and_tells_its_scores() -> None:
    behavior = small(1.0)
    pulls, lists, counts = [], [], [behavior.bought.sum(axis=0)]

    def observe(seen: NightSeen) -> None:
        assert behavior.pull is not None
        pulls.append(behavior.pull)
        lists.append(seen.lists.items)
        counts.append(behavior.bought.sum(axis=0))

    simulate(behavior, Scored(behavior, "popularity"), 2, k=10, repeats=True, observe=observe)
    for pull, shown, bought in zip(pulls, lists, counts, strict=False):
        np.testing.assert_allclose(pull, (bought - bought.min())[shown], rtol=1e-5)
