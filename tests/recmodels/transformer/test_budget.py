import numpy as np
import pytest

from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.transformer import budget
from recmodels.transformer.budget import Budget

USERS = np.arange(1000, dtype=np.int32)


class Clock:
    """Time that passes only as lists are made: a hundredth of a second each."""

    def __init__(self) -> None:
        self.now, self.asked = 0.0, list[int]()

    def monotonic(self) -> float:
        return self.now

    def make_lists(self, users: np.ndarray) -> None:
        self.asked.append(len(users))
        self.now += len(users) / 100


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    return clock


def planned(clock: Clock, options: FitOptions) -> Budget:
    made = Budget(options)
    made.plan(clock.make_lists, USERS)
    return made


def test_time_is_left_for_a_validation_and_for_lists_beyond_their_own_time(clock: Clock) -> None:
    made = planned(clock, FitOptions(minutes=2, listed=9_000, list_minutes=1))
    assert clock.asked == [1, budget.PROBED]
    assert made.validation == pytest.approx(10) and made.lists == pytest.approx(30)
    assert [made.is_spent(at, validates=False) for at in (89, 91)] == [False, True]
    assert [made.is_spent(at, validates=True) for at in (79, 81)] == [False, True]


def test_lists_that_have_time_enough_take_none_of_the_trainings(clock: Clock) -> None:
    made = planned(clock, FitOptions(minutes=2, listed=5_000, list_minutes=1))
    assert made.lists == 0 and not made.is_spent(119, validates=False)


def test_lists_that_take_more_than_all_the_time_are_said_at_once(clock: Clock) -> None:
    with pytest.raises(NightrecError, match=r"Lists of 20,000 users would take 4 minutes, and there are 3 for"):
        planned(clock, FitOptions(minutes=2, listed=20_000, list_minutes=1))


def test_without_a_limit_nothing_is_looked_at(clock: Clock) -> None:
    made = planned(clock, FitOptions(listed=20_000))
    assert clock.asked == [] and not made.is_spent(1e9, validates=True)
