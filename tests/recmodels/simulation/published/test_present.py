"""What must be true of every published behavior model."""

from collections.abc import Callable

import numpy as np
import pytest

from recmodels.data.arrays import Ints
from recmodels.simulation.behavior import NOTHING, Behavior, Choices, Day
from recmodels.simulation.published.accepting import Accepting
from recmodels.simulation.published.adopting import Adopting
from recmodels.simulation.published.chaney import Confounded
from recmodels.simulation.published.interests import Reinforced

K = 6
MAKERS: dict[str, Callable[[], Behavior]] = {
    "accepting": lambda: Accepting.generated(1, n_users=12, n_items=40),
    "adopting": lambda: Adopting.generated(1, 0.5, n_users=12, n_items=60, awareness=12),
    "chaney": lambda: Confounded.drawn(1, n_users=12, nights=8),
    "interests": lambda: Reinforced.drawn(1, n_users=12, n_items=20, new_items=2, nights=8),
}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[], Behavior]:
    return MAKERS[request.param]


def lists_of(behavior: Behavior, night: int) -> Ints:
    """Random lists with an empty place, and nothing for the last user."""
    out = np.flatnonzero(behavior.world.out(night)).astype(np.int32)
    lists = np.random.default_rng([3, night]).permuted(np.tile(out, (behavior.world.n_users, 1)), axis=1)[:, :K]
    lists[:, -1], lists[-1] = NOTHING, NOTHING
    return lists


def live(behavior: Behavior, nights: range) -> list[Day]:
    return [behavior.react(lists_of(behavior, night), night, np.random.default_rng([9, night])) for night in nights]


def test_a_day_says_what_was_chosen_from_which_place(make: Callable[[], Behavior]) -> None:
    behavior = make()
    everybody = behavior.world.n_users
    for night, day in enumerate(live(behavior, range(4))):
        lists, choices = lists_of(behavior, night), day.choices
        listed = choices.rank > 0
        assert (choices.night == night).all() and len(day.worth) == len(choices)
        assert (lists[choices.user[listed], choices.rank[listed] - 1] == choices.item[listed]).all()
        assert len(day.seen_user) == (lists != NOTHING).sum() == (everybody - 1) * (K - 1)
        assert (lists[day.seen_user, day.seen_rank - 1] == day.seen_item).all()
        clicked = set(zip(day.seen_user[day.clicked], day.seen_rank[day.clicked], strict=True))
        assert clicked == set(zip(choices.user[listed], choices.rank[listed], strict=True)) and clicked
        assert behavior.here(night).all() and (behavior.visit_chance(night) == 1).all()


def test_a_restored_simulation_goes_on_as_the_first_would_have(make: Callable[[], Behavior]) -> None:
    whole, first, second = make(), make(), make()
    days = live(whole, range(5))
    live(first, range(3))
    state = first.state()
    live(first, range(3, 5))  # what was taken does not change with it
    second.restore(state)
    for one, other in zip(days[3:], live(second, range(3, 5)), strict=True):
        for name in ("user", "item", "rank"):
            assert np.array_equal(getattr(one.choices, name), getattr(other.choices, name))


def test_utilities_and_the_history_keep_to_the_interface(make: Callable[[], Behavior]) -> None:
    behavior = make()
    users, items = np.array([0, 3], np.int32), np.array([1, 2], np.int32)
    assert behavior.utility(users, items).shape == (2,)
    history: Choices = behavior.history()
    assert (history.night < 0).all() and (history.rank == 0).all()
