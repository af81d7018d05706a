"""The nights of one policy."""

from itertools import pairwise

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.known import Known
from recmodels.simulation.policies import Lists, MostPopular, Oracle, Policy, Random
from recmodels.simulation.run import NightSeen, simulate
from tests.recmodels.simulation.tiny import Tiny


class Watching(Random):
    """Random lists, and a diary of when it learned and what it was told."""

    def __init__(self, name: str = "watching") -> None:
        super().__init__(name)
        self.learned: list[tuple[int, int]] = []  # the night, and how many choices were known
        self.told: list[int] = []

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:
        self.learned.append((night, len(known.choices)))

    def happened(self, night, lists, day) -> None:
        self.told.append(night)


def seen_of(policy: Policy, nights: int = 6, behavior: Tiny | None = None, **options) -> list[NightSeen]:
    seen: list[NightSeen] = []
    simulate(behavior or Tiny(), policy, nights, observe=seen.append, **options)
    return seen


def test_what_users_choose_is_known_on_the_next_night():
    nights = seen_of(Random(), 5)
    for before, after in pairwise(nights):
        assert len(after.known.choices) == len(before.known.choices) + len(before.day.choices)
        assert (after.known.choices.night[len(before.known.choices) :] == before.night).all()
    assert (nights[0].known.choices.night < 0).all()


def test_lists_are_for_those_who_are_there_and_hold_what_is_out_once_and_nothing_they_had():
    for night in seen_of(MostPopular(), 6, k=7):
        items = night.lists.items
        assert items.shape == (40, 7)
        assert items.dtype == np.int32
        assert ((items == NOTHING).all(axis=1) == (night.behavior.world.arrives > night.night)).all()
        for user, own in enumerate(items):
            shown = own[own != NOTHING]
            assert len(set(shown)) == len(shown)
            assert (night.behavior.world.born[shown] <= night.night).all()
            assert not set(shown) & set(night.known.choices.item[night.known.choices.user == user])


def test_with_repeats_what_a_user_chose_may_be_shown_again():
    last = seen_of(MostPopular(), 4, repeats=True)[-1]
    had = last.known.consumed.toarray()[np.arange(35)[:, None], last.lists.items[:35]] > 0
    assert had.any()


@pytest.mark.parametrize(("every", "expected"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (None, [0])])
def test_it_learns_every_so_many_nights_or_once(every, expected):
    policy = Watching()
    seen_of(policy, 7, retrain_every=every)
    assert [night for night, _ in policy.learned] == expected
    assert policy.told == list(range(7))


def test_another_policy_makes_the_lists_at_first_and_then_the_own_one_learns_from_what_came_of_them():
    first, own = Watching("first"), Watching("own")
    nights = seen_of(own, 7, retrain_every=2, warm_up=(first, 3))
    assert [night for night, _ in first.learned] == first.told == [0, 1, 2]
    assert [night for night, _ in own.learned] == own.told[::2] == [3, 5]
    assert own.learned[0][1] == len(nights[3].known.choices)


def test_a_day_s_chances_are_the_same_for_all_policies_and_a_policy_s_own_are_not():
    """Two random policies of other names show other items; with the same lists, the same happens."""
    one, other = (seen_of(Random(name), 3) for name in ("one", "other"))
    assert (one[0].lists.items != other[0].lists.items).any()

    popular, alike = (seen_of(MostPopular(name), 4) for name in ("popular", "alike"))
    for night, same in zip(popular, alike, strict=True):
        assert (night.day.choices.item == same.day.choices.item).all()
    assert (one[0].day.choices.item[-30:] == popular[0].day.choices.item[-30:]).all()  # what they find by themselves


def test_another_seed_is_another_course_of_things():
    one, other = (seen_of(MostPopular(), 2, seed=seed) for seed in (0, 1))
    assert (one[0].lists.items == other[0].lists.items).all()
    assert (
        len(one[0].day.choices) != len(other[0].day.choices)
        or (one[0].day.choices.item != other[0].day.choices.item).any()
    )


def test_what_is_said_before_the_day_is_of_users_as_the_lists_find_them():
    tiny = Tiny()
    said: list[object] = []

    def bored(night) -> int:
        return int(night.behavior.bored.sum())

    simulate(tiny, Random(), 3, ahead=bored, observe=lambda seen: said.append((seen.ahead, bored(seen))))
    assert said[0][0] == 0
    assert all(after[0] == before[1] > 0 for before, after in pairwise(said))


def test_the_oracle_shows_what_is_worth_most():
    tiny = Tiny()
    worth: list[float] = []
    simulate(tiny, Oracle(tiny), 1, k=4, ahead=lambda night: worth.append(_least(night)))
    assert worth == [1.0]


def _least(night) -> float:
    users = night.known.users
    return float(night.behavior.utility(np.repeat(users, 4), night.lists.items[users].ravel()).min())


def test_seconds_say_what_they_were_spent_on():
    (night,) = seen_of(MostPopular(), 1)
    assert set(night.seconds) == {"learn", "lists", "ahead", "react"}
    assert all(seconds >= 0 for seconds in night.seconds.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nights": 0}, "nights is 0; give 1 or more."),
        ({"k": 0}, "k is 0; give 1 or more."),
        ({"retrain_every": 0}, "retrain_every is 0; give 1 or more."),
        ({"warm_up": (Random(), -1)}, "warm_up is -1 nights; give 0 or more."),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        seen_of(Random(), **options)


def test_lists_of_a_policy_are_all_that_users_see():
    tiny = Tiny()

    class Fixed(Policy):
        name = "fixed"

        def lists(self, night, known, k, rng) -> Lists:
            return Lists(np.where(known.here[:, None], np.arange(k), NOTHING).astype(np.int32))

    seen_of(Fixed(), 2, tiny)
    there = tiny.world.arrives <= 0
    assert all((lists[there] == np.arange(10)).all() for lists in tiny.asked)
