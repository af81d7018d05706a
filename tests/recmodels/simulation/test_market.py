"""The default behavior model: each of its rules is found again in what users do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from recmodels.data.arrays import Ints
from recmodels.simulation.behavior import NOTHING, Day
from recmodels.simulation.known import terms_of
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
        assert (choices.night == night).all()


def test_what_was_consumed_is_never_wanted_again_unless_boredom_has_an_end() -> None:
    for boredom in (None, 2.0):
        behavior = market(replace(SMALL, boredom=boredom, satiation=0.0, drift=0.0))
        state = behavior.state()
        day = behavior.react(lists_of(behavior, 0), 0, np.random.default_rng(0))
        after = behavior.utility(day.choices.user, day.choices.item)
        behavior.restore(state)
        before = behavior.utility(day.choices.user, day.choices.item)
        assert np.array_equal(before, day.worth)  # what they were worth is the utility of the morning
        assert len(before) and ((before > 0) & (before < 1)).all()
        if boredom is None:
            assert (after == 0).all()
        else:
            fresh = ~state_has(state, day)
            odds = np.log(before / (1 - before)) - np.log(after / (1 - after))
            assert fresh.any() and np.allclose(odds[fresh], 2.0) and np.allclose(odds[~fresh], 0.0)


def state_has(state: dict[str, np.ndarray], day: Day) -> np.ndarray:
    """Which choices of a day had been made before."""
    bits = np.unpackbits(state["consumed"], axis=1, bitorder="little")
    return bits[day.choices.user, day.choices.item] == 1


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


@examples(max_examples=4)
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


def crowd(**changes: object) -> Market:
    """Many users who are alike in all that is not looked at, who come every day and find much."""
    plain = MarketSettings(
        history_days=1, visits=100.0, activity_spread=0.0, new_users=0.0, new_items=0.0, leaving=0.0, satiation=0.0
    )
    return market(replace(plain, **changes), n_users=1500, n_items=400)  # type: ignore[arg-type]


def within(count: float, n: int, share: float) -> bool:
    """Whether so many of `n` may have come about where each has the chance `share`: three standard errors."""
    return bool(abs(count - n * share) <= 3 * (n * share * (1 - share)) ** 0.5)


def test_a_place_is_seen_in_a_share_of_the_times_that_falls_with_its_rank() -> None:
    behavior = crowd(adoption=1.0, attention=0.8)
    day = behavior.react(lists_of(behavior, 0), 0, np.random.default_rng(0))
    assert day.visitors.all()
    for rank in range(1, 6):
        assert within((day.seen_rank == rank).sum(), 1500, rank**-0.8)


@pytest.mark.parametrize("adoption", [0.0, 0.3, 1.0])
def test_a_share_of_the_choices_is_made_from_the_list_where_nothing_is_better_outside(adoption: float) -> None:
    behavior = crowd(adoption=adoption, attention=0.0, outside=None, choices=2.0)
    day = behavior.react(lists_of(behavior, 0, k=20), 0, np.random.default_rng(0))
    assert within((day.choices.rank > 0).sum(), len(day.choices), adoption)
    assert within(len(day.choices) - 1500, 1500 * 10, 0.1)  # 1 + Poisson(1), of which a binomial is the like


def test_nobody_chooses_an_item_twice_on_a_day_and_so_everybody_finds_another() -> None:
    behavior = crowd(choices=4.0, by_popularity=1.0, by_taste=0.0, social=3.0, boredom=0.0)  # all think of the same
    day = behavior.react(lists_of(behavior, 0), 0, np.random.default_rng(0))
    pairs = np.stack([day.choices.user, day.choices.item])
    assert np.unique(pairs, axis=1).shape == pairs.shape
    others = market(replace(behavior.settings, social=0.0), n_users=1500, n_items=400)
    freely = others.react(lists_of(others, 0), 0, np.random.default_rng(0))
    assert len(day.choices) > 0.9 * len(freely.choices)


def test_what_is_better_is_chosen_in_proportion_to_its_odds() -> None:
    behavior = crowd(adoption=1.0, attention=0.0, choices=1.0, noise=1.0, outside=-0.5)
    lists = lists_of(behavior, 0, k=2)
    users = np.arange(1500, dtype=np.int32)
    worth = np.stack([behavior.utility(users, lists[:, place]) for place in (0, 1)], axis=1)
    odds = worth / (1 - worth)
    expected = odds / (odds.sum(axis=1, keepdims=True) + np.exp(-0.5))
    day = behavior.react(lists, 0, np.random.default_rng(0))
    for place in (0, 1):
        spread = (expected[:, place] * (1 - expected[:, place])).sum() ** 0.5
        assert abs((day.choices.rank == place + 1).sum() - expected[:, place].sum()) < 3 * spread


def test_those_who_know_nothing_choose_by_what_they_imagine() -> None:
    gains = []
    for known in (0.0, 0.5, 1.0):
        behavior = crowd(known=known, adoption=1.0, attention=0.0, choices=1.0, outside=None, noise=0.01)
        lists = lists_of(behavior, 0, k=5)
        state = behavior.state()
        day = behavior.react(lists, 0, np.random.default_rng(0))
        behavior.restore(state)
        everything = behavior.utility(np.repeat(np.arange(1500, dtype=np.int32), 5), lists.ravel())
        # what they have had by now is worth nothing: compare with the others alone
        gains.append(day.worth.mean() - everything[everything > 0].mean())
    assert abs(gains[0]) < 0.03 and gains[0] < gains[1] < gains[2]


def test_the_same_category_again_satisfies_less_and_recovers() -> None:
    behavior = market(replace(SMALL, drift=0.0, satiation=0.5, satiation_half_life=2.0, novelty_spread=0.0))
    before = behavior.utility(np.zeros(60, np.int32), np.arange(60, dtype=np.int32))
    state = behavior.state()
    state["satiation"][:] = 0
    state["satiation"][0, 3] = 2.0
    behavior.restore(state)
    now = behavior.utility(np.zeros(60, np.int32), np.arange(60, dtype=np.int32))
    there = (before > 0) & (behavior.world.category == 3)
    nothing = np.full((50, 1), NOTHING, np.int32)

    def logit(share: np.ndarray) -> np.ndarray:
        return np.log(share / (1 - share))

    fresh = behavior.state() | {"satiation": np.zeros_like(state["satiation"])}
    rested = market(SMALL)
    rested.settings = behavior.settings
    rested.restore(fresh)
    full = rested.utility(np.zeros(60, np.int32), np.arange(60, dtype=np.int32))
    assert np.allclose(logit(full[there]) - logit(now[there]), 0.5 * 2.0, atol=1e-5)
    day = behavior.react(nothing, 0, np.random.default_rng(0))
    more = int((behavior.world.category[day.choices.item[day.choices.user == 0]] == 3).sum())
    assert behavior.state()["satiation"][0, 3] == pytest.approx(2.0 * 0.5**0.5 + more)


def test_tastes_move_to_what_is_consumed() -> None:
    behavior = market(replace(SMALL, drift=0.1, choices=1.0))
    before = behavior.state()["taste"]
    day = behavior.react(lists_of(behavior, 0), 0, np.random.default_rng(0))
    after = behavior.state()["taste"]
    user, item = day.choices.user, day.choices.item
    moved = 0.9 * before[user] + 0.1 * behavior.items.factors[item]
    assert np.allclose(after[user], moved / np.linalg.norm(moved, axis=1, keepdims=True), atol=1e-6)
    others = np.setdiff1d(np.arange(50), user)
    assert len(others) and np.array_equal(after[others], before[others])


def test_moods_follow_satisfaction_and_the_pleased_come_more_often() -> None:
    behavior = market(replace(SMALL, patience=0.25, loyalty=2.0, leaving=0.0, visits=0.5, new_users=0.0))
    before, chance = behavior.state()["mood"], behavior.visit_chance(0)
    day = behavior.react(lists_of(behavior, 0), 0, np.random.default_rng(0))
    after = behavior.state()["mood"]
    for user in range(50):
        worth = day.worth[day.choices.user == user]
        assert after[user] == pytest.approx(0.75 * before[user] + 0.25 * worth.mean() if len(worth) else before[user])
    rates = np.log(1 - behavior.visit_chance(1)) / np.log(1 - chance)
    assert np.allclose(rates, np.exp(2.0 * (after - before)))


def test_users_leave_for_good_at_the_hazard_of_their_mood() -> None:
    behavior = crowd(leaving=0.1, disappointment=3.0)
    state = behavior.state()
    state["mood"][:750] -= 0.2
    behavior.settings = replace(behavior.settings, patience=0.0)
    behavior.restore(state)
    behavior.react(np.full((1500, 1), NOTHING, np.int32), 0, np.random.default_rng(0))
    gone = behavior.state()["gone"]
    assert within(gone[:750].sum(), 750, 0.1 * np.exp(0.6)) and within(gone[750:].sum(), 750, 0.1)
    assert (behavior.visit_chance(1)[gone] == 0).all() and (behavior.visit_chance(1)[~gone] > 0).all()
    assert behavior.here(28).all() and np.array_equal(behavior.here(29), ~gone)  # noticed when they stay away


def test_popularity_counts_choices_and_forgets() -> None:
    behavior = market(replace(SMALL, popularity_half_life=7.0))
    before = behavior.state()["popularity"]
    day = behavior.react(lists_of(behavior, 0), 0, np.random.default_rng(0))
    count = np.bincount(day.choices.item, minlength=60)
    assert np.allclose(behavior.state()["popularity"], before * 0.5 ** (1 / 7) + count)


def test_new_users_and_items_come_at_their_rates_and_nobody_knows_them() -> None:
    settings = replace(SMALL, new_users=0.01, new_items=0.02, history_days=10)
    behavior = Market.generated(settings, 1000, 500, 0, nights=40)
    arrives, born = behavior.world.arrives, behavior.world.born
    at_first = (arrives < -10).sum()
    assert at_first == np.ceil(1000 / 1.5) and (born < -10).sum() == 250
    a_night = np.bincount(arrives[arrives >= -10] + 10, minlength=50)
    assert a_night.sum() == 1000 - at_first and a_night.max() - a_night.min() <= 1 and len(a_night) == 50
    past = behavior.history()
    assert set(past.night.tolist()) <= set(range(-10, 0)) and (past.rank == 0).all()
    assert (born[past.item] <= past.night).all() and (arrives[past.user] <= past.night).all()
    newcomers = np.flatnonzero(arrives == 3)
    assert len(newcomers) and not behavior.here(2)[newcomers].any() and (behavior.visit_chance(3)[newcomers] == 1).all()
    quality = behavior.items.quality[born >= 0]
    assert abs(quality.mean()) < 3 / len(quality) ** 0.5  # drawn as that of all: some are good


def test_the_words_of_an_item_tell_its_category_and_its_niche() -> None:
    behavior = Market.generated(replace(SMALL, history_days=1), 20, 300, 0)
    terms = terms_of(behavior.texts())
    alike = (terms @ terms.T).toarray()
    category, factors = behavior.world.category, behavior.items.factors
    apart = ~np.eye(300, dtype=bool)
    same = (category[:, None] == category) & apart
    assert alike[same].mean() > 2 * alike[~same & apart].mean()
    within_category = np.corrcoef(alike[same], (factors @ factors.T)[same])[0, 1]
    assert within_category > 0.2  # by their niche


def test_a_minority_likes_what_there_is_less_of() -> None:
    behavior = Market.generated(replace(SMALL, history_days=10), 1000, 300, 0)
    size = np.bincount(behavior.world.category)
    past = behavior.history()
    liked = size[behavior.world.category[past.item]]
    group = behavior.world.group[past.user]
    assert liked[group == 1].mean() < 0.9 * liked[group == 0].mean()


@pytest.mark.parametrize(("n_users", "n_items"), [(1, 1), (2, 3), (5, 9)])
def test_the_smallest_markets_go_on_when_there_is_nothing_left(n_users: int, n_items: int) -> None:
    behavior = Market.generated(
        MarketSettings(visits=5.0, history_days=2, new_items=0.5), n_users, n_items, 0, nights=8
    )
    assert sum(len(day.choices) for day in live(behavior, range(8))) <= n_users * n_items
    empty = replace(behavior.items, born=np.full(n_items, 4, np.int32))
    late = Market(behavior.settings, behavior.users, empty, key=0)
    assert [len(day.choices) > 0 for day in live(late, range(6))][:5] == [False] * 4 + [True]
