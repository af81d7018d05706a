"""The default behavior model: each of its rules is found again in what users do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from recmodels.data.arrays import Ints
from recmodels.simulation.behavior import NOTHING, Day
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings

SMALL = MarketSettings(history_days=4, visits=1.0)


def market(settings: MarketSettings = SMALL, n_users: int = 50, n_items: int = 60, seed: int = 3) -> Market:
    return Market.generated(settings, n_users, n_items, seed, nights=10)


def lists_of(behavior: Market, night: int, seed: int = 0, k: int = 5) -> Ints:
    """Random lists of what is out."""
    rng = np.random.default_rng([seed, night])
    out = np.flatnonzero(behavior.world.out(night))
    chosen = rng.permuted(np.tile(out, (behavior.world.n_users, 1)), axis=1)[:, :k].astype(np.int32)
    chosen[~behavior.here(night)] = NOTHING
    return chosen


def live(behavior: Market, nights: range, seed: int = 0) -> list[Day]:
    return [
        behavior.react(lists_of(behavior, night, seed), night, np.random.default_rng([9, night])) for night in nights
    ]


def rows(day: Day, user: int) -> list[tuple[int, int]]:
    mine = day.choices.user == user
    return list(zip(day.choices.item[mine].tolist(), day.choices.rank[mine].tolist(), strict=True))


def same(one: Day, other: Day) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("visitors", "seen_user", "seen_item", "seen_rank", "clicked", "worth")
    ) and all(
        np.array_equal(getattr(one.choices, name), getattr(other.choices, name))
        for name in ("user", "item", "night", "rank")
    )


def test_the_same_lists_give_the_same_days() -> None:
    one, other = market(), market()
    assert all(same(*days) for days in zip(live(one, range(4)), live(other, range(4)), strict=True))


def test_a_day_keeps_to_the_rules_of_the_interface() -> None:
    behavior = market()
    for night, day in enumerate(live(behavior, range(6))):
        lists, choices = lists_of(behavior, night), day.choices
        assert (lists[day.seen_user, day.seen_rank - 1] == day.seen_item).all()
        assert day.visitors[choices.user].all() and behavior.world.out(night)[choices.item].all()
        from_list = choices.rank > 0
        clicked = set(zip(day.seen_user[day.clicked], day.seen_rank[day.clicked], strict=True))
        assert clicked == set(zip(choices.user[from_list], choices.rank[from_list], strict=True))
        pairs = np.stack([choices.user, choices.item])
        assert np.unique(pairs, axis=1).shape == pairs.shape
        assert (choices.night == night).all() and len(day.worth) == len(choices)
        assert ((day.worth > 0) & (day.worth < 1)).all()  # nobody takes what they have had


def test_what_a_day_was_worth_is_the_utility_of_its_morning() -> None:
    behavior, twin = market(), market()
    day = behavior.react(lists_of(behavior, 0), 0, np.random.default_rng(0))
    assert len(day.worth) and np.array_equal(day.worth, twin.utility(day.choices.user, day.choices.item))
    assert (behavior.utility(day.choices.user, day.choices.item) == 0).all()  # boredom: never again


@pytest.mark.parametrize("boredom", [None, 1.5])
def test_utilities_are_those_of_all_items(boredom: float | None) -> None:
    behavior = market(replace(SMALL, boredom=boredom))
    live(behavior, range(2))
    users = np.array([4, 9, 30], np.int32)
    everything = np.arange(60, dtype=np.int32)
    pairs = behavior.utility(np.repeat(users, 60), np.tile(everything, 3)).reshape(3, 60)
    assert np.allclose(behavior.utilities(users), pairs, atol=1e-5)


def test_who_is_shown_something_else_changes_nobody_elses_day() -> None:
    one, other = (market(replace(SMALL, social=0.0)) for _ in range(2))
    differs = 7
    changed = False
    for night in range(6):
        lists = lists_of(one, night)
        others = lists.copy()
        others[differs] = lists[differs, ::-1]
        rng = [np.random.default_rng(night) for _ in range(2)]
        days = one.react(lists, night, rng[0]), other.react(others, night, rng[1])
        changed |= rows(days[0], differs) != rows(days[1], differs)
        assert all(rows(days[0], user) == rows(days[1], user) for user in range(50) if user != differs)
    assert changed


def test_popularity_couples_users_from_the_next_day_on_only() -> None:
    one, other = market(), market()
    lists = lists_of(one, 0)
    others = lists.copy()
    others[:25] = lists[:25, ::-1]
    days = [behavior.react(shown, 0, np.random.default_rng(0)) for behavior, shown in ((one, lists), (other, others))]
    assert all(rows(days[0], user) == rows(days[1], user) for user in range(25, 50))


@examples(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), stop=st.integers(0, 5), feedback=st.booleans())
def test_a_resumed_market_goes_on_as_if_it_had_not_stopped(seed: int, stop: int, feedback: bool) -> None:
    settings = replace(SMALL, feedback=feedback, known=0.8, boredom=2.0)
    whole, first, second = (market(settings, 20, 30, seed) for _ in range(3))
    expected = live(whole, range(6))
    live(first, range(stop))
    second.restore(first.state())
    assert all(same(*days) for days in zip(expected[stop:], live(second, range(stop, 6)), strict=True))
    ends = whole.state(), second.state()
    assert all(ends[0][name].tobytes() == ends[1][name].tobytes() for name in ends[0])


def test_a_state_is_no_window_into_the_market() -> None:
    behavior = market()
    before = behavior.state()
    copies = {name: array.copy() for name, array in before.items()}
    live(behavior, range(2))
    assert all(np.array_equal(before[name], copies[name]) for name in copies)
    behavior.restore(before)
    live(behavior, range(2))
    assert all(np.array_equal(before[name], copies[name]) for name in copies)


def test_without_feedback_nothing_changes() -> None:
    behavior = market(SMALL.without_feedback())
    before = behavior.state()
    first = live(behavior, range(6))
    assert sum(len(day.choices) for day in first) > 0
    assert all(np.array_equal(array, before[name]) for name, array in behavior.state().items())
    assert (behavior.world.born < 0).all() and (behavior.world.arrives < 0).all()
    assert all(behavior.here(night).all() for night in (0, 5))
