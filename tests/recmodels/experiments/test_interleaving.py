"""Team drafts are lists of both models, fair to each, and find a better one with few users."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.experiments.effects import users_needed
from recmodels.experiments.interleaving import NOBODY, preference, team_draft

LISTS = st.lists(st.integers(0, 9), min_size=0, max_size=6, unique=True)


def padded(items: list[int]) -> np.ndarray:
    return np.array([items + [NOBODY] * (6 - len(items))])


@settings(max_examples=40)
@given(LISTS, LISTS, st.integers(0, 5))
def test_a_draft_is_fair_and_without_repeats(first: list[int], second: list[int], seed: int) -> None:
    items, teams = team_draft(padded(first), padded(second), 6, np.random.default_rng(seed).integers(2, size=(1, 6)))
    drafted = [int(item) for item in items[0] if item != NOBODY]
    assert len(set(drafted)) == len(drafted) == min(6, len(set(first) | set(second)))
    assert ((items == NOBODY) == (teams == NOBODY)).all()
    for team, wanted in ((0, first), (1, second)):
        picks = [int(item) for item in items[0][teams[0] == team]]
        assert picks == [item for item in wanted if item in picks]  # in the model's own order
    if len(first) == len(second) == 6:
        for place in range(1, 7):
            assert abs(np.count_nonzero(teams[0, :place] == 0) - np.count_nonzero(teams[0, :place] == 1)) <= 1


def test_equal_lists_are_interleaved_into_themselves_with_half_of_the_credit_each() -> None:
    same = np.tile(np.arange(6), (4_000, 1))
    items, teams = team_draft(same, same, 6, np.random.default_rng(0).integers(2, size=same.shape))
    assert (items == same).all()
    assert abs((teams[:, 0] == 0).mean() - 0.5) < 0.03
    credit = [(teams[:, :1] == team).sum(axis=1).astype(float) for team in (0, 1)]
    value, error = preference(*credit)
    assert abs(value) < 3 * error


@pytest.mark.slow
def test_a_better_model_is_found_with_a_tenth_of_the_users() -> None:
    """The second model's clicks are 5 % more. Users differ in how often they come, which an A/B test has as noise."""
    draw, k, rate, lift = np.random.default_rng(1), 5, 0.1, 0.05

    def visits(users: int) -> np.ndarray:
        return draw.poisson(draw.gamma(0.4, 25, users)) + 1

    clicks_of_a_user = draw.binomial(k * visits(100_000), rate)
    users = users_needed(0.5, clicks_of_a_user.std(), clicks_of_a_user.mean() * lift, looks=False) // 10
    found = []
    for _ in range(2):
        user = np.repeat(np.arange(users), visits(users))
        lists = draw.integers(1 << 40, size=(2, len(user), k))
        items, teams = team_draft(*lists, k, draw.integers(2, size=(len(user), k)))
        clicks = draw.random(items.shape) < np.where(teams == 1, rate * (1 + lift), rate)
        credit = [np.bincount(user, (clicks & (teams == team)).sum(axis=1)) for team in (0, 1)]
        found.append(preference(*credit))
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(-lift / (2 + lift), abs=3 * errors[0] / np.sqrt(2))
    assert lift / (2 + lift) >= (1.96 + 0.84) * errors.mean()  # so that 80 % find it


def test_a_few_users_who_happen_to_agree_prefer_no_model_for_sure() -> None:
    """Three users agree by chance in one of four cases; thirty never do."""
    for users, sure in ((3, False), (30, True)):
        value, error = preference(np.ones(users), np.zeros(users))
        assert value == 1 and (value > 3 * error) is sure


def test_nobody_who_clicked_says_nothing() -> None:
    assert preference(np.zeros(5), np.zeros(5)) == (0.0, float("inf"))


class Pairs:
    """No two items of a parity in a list."""

    def __init__(self) -> None:
        self.held: set[tuple[int, int]] = set()

    def fits(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return np.array([(int(u), int(i) % 2) not in self.held for u, i in zip(users, items, strict=True)], bool)

    def take(self, users: np.ndarray, items: np.ndarray) -> None:
        self.held |= {(int(u), int(i) % 2) for u, i in zip(users, items, strict=True)}


def test_a_team_whose_item_does_not_fit_takes_its_next_one() -> None:
    first, second = np.array([[0, 2, 4, 6]]), np.array([[8, 10, 3, 5]])
    items, teams = team_draft(first, second, 4, np.zeros((1, 4), int), Pairs(), within=2)
    assert items.tolist() == [[0, 3, 2, 8]]  # 3 is the best of the second's that fits; then everything does
    assert teams.tolist() == [[0, 1, 0, 1]]
    items, teams = team_draft(first, first + 8, 4, np.zeros((1, 4), int), Pairs(), within=4)
    assert items.tolist() == [[0, NOBODY, NOBODY, NOBODY]]
