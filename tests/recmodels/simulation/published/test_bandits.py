import numpy as np
import pytest

from recmodels.data.arrays import Ints
from recmodels.simulation.policies import Random
from recmodels.simulation.published.bandits import Bandit, Mixed, Thompson, UpperBound
from recmodels.simulation.published.interests import Reinforced
from recmodels.simulation.run import NightSeen, simulate


def lists_of(policy: Bandit | Mixed, nights: int, n_items: int = 12, k: int = 3) -> list[Ints]:
    found = []

    def observe(seen: NightSeen) -> None:
        found.append(seen.lists.items)

    simulate(
        Reinforced.drawn(0, n_users=5, n_items=n_items), policy, nights, k=k, repeats=True, observe=observe
    )  # fmt: skip
    return found


def test_ucb_shows_everything_once_and_then_the_highest_bound() -> None:
    policy = UpperBound()
    first = np.concatenate(lists_of(policy, 4), axis=1)
    assert (np.sort(first, axis=1) == np.arange(12)).all()
    bound = policy.clicked / 1 + np.sqrt(2 * np.log(12) / 1)
    np.testing.assert_allclose(policy.scores(np.random.default_rng(0)), bound)


def test_thompson_sampling_draws_from_the_posterior_of_the_click_rate() -> None:
    policy = Thompson()
    policy.shown, policy.clicked = np.array([[10.0, 0.0]]), np.array([[8.0, 0.0]])
    draws = np.array([policy.scores(np.random.default_rng(i))[0] for i in range(2000)])
    np.testing.assert_allclose(draws.mean(axis=0), [9 / 12, 1 / 2], atol=4 * 0.29 / np.sqrt(2000))


@pytest.mark.parametrize("policy", [Thompson(), UpperBound()], ids=lambda policy: policy.name)
def test_a_bandit_counts_what_it_showed_and_goes_on_from_its_state(policy: Bandit) -> None:
    lists_of(policy, 6)
    assert policy.shown.sum() == 6 * 5 * 3 and (policy.clicked <= policy.shown).all() and policy.clicked.any()
    other = type(policy)()
    other.restore(policy.state())
    one, two = (each.scores(np.random.default_rng(1)) for each in (policy, other))
    assert np.array_equal(one, two)


def test_a_share_of_the_places_is_random_and_no_item_is_twice_in_a_list() -> None:
    class First(Random):
        def lists(self, night, known, k, rng):  # type: ignore[no-untyped-def]
            lists = super().lists(night, known, k, rng)
            lists.items[:] = np.arange(k)
            return lists

    shown = np.concatenate(lists_of(Mixed(First("first"), 0.5), 200, n_items=40))
    assert (np.sort(shown, axis=1)[:, 1:] != np.sort(shown, axis=1)[:, :-1]).all()
    moved = (shown != np.arange(3)).mean()
    assert abs(moved - 0.5) < 4 * np.sqrt(0.25 / shown.size)
