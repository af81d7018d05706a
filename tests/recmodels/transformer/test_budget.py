import numpy as np
import pytest

from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.transformer import budget
from recmodels.transformer.budget import Budget

USERS = np.arange(1000, dtype=np.int32)


class Clock:
    """Time that passes only as lists are made: a hundredth of a second each, if the machine has nothing else to do."""

    def __init__(self) -> None:
        self.now, self.asked, self.load = 0.0, list[int](), 1.0

    def monotonic(self) -> float:
        return self.now

    def make_lists(self, users: np.ndarray) -> None:
        self.asked.append(len(users))
        self.now += self.load * len(users) / 100


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
    made = planned(clock, FitOptions(minutes=2, listed=8_000, list_minutes=1))
    assert clock.asked == 3 * [budget.PROBED]  # the first loads and compiles
    assert made.validation == pytest.approx(1.25 * 10) and made.lists == pytest.approx(1.25 * 80 - 60)
    assert [made.is_spent(at, validates=False) for at in (79, 81)] == [False, True]
    assert [made.is_spent(at, validates=True) for at in (67, 68)] == [False, True]


def test_a_step_that_would_end_too_late_is_not_begun(clock: Clock) -> None:
    made = planned(clock, FitOptions(minutes=2))
    made.steps.seconds.extend([8.0, 8.0])
    assert [made.is_spent(at, validates=False) for at in (109, 111)] == [False, True]


def test_validations_say_how_long_lists_take_by_now(clock: Clock) -> None:
    made = planned(clock, FitOptions(minutes=10, listed=8_000, list_minutes=1))
    before = made.lists
    made.validated(30.0)  # the machine has become busy: .03 s a user, not .01
    each = np.array([0.01, 0.01, 0.03])
    assert made.lists == pytest.approx(8_000 * (1.25 * each.mean() + 2 * each.std()) - 60) and made.lists > 4 * before
    for _ in range(4):
        made.validated(30.0)  # and remains so
    assert made.lists == pytest.approx(1.25 * 240 - 60)


def test_more_time_is_left_the_more_measurements_differ() -> None:
    even, uneven = budget.Timings(4), budget.Timings(4)
    even.seconds.extend([2.0, 2.0])
    uneven.seconds.extend([1.0, 3.0])
    assert even.mean == uneven.mean == 2 and even.reckoned == 2.5 and uneven.reckoned == 4.5
    assert budget.Timings(4).reckoned == 0


def test_a_validation_is_left_out_where_it_would_end_too_late(clock: Clock) -> None:
    made = planned(clock, FitOptions(minutes=2))
    assert [made.has_time_to_validate(at) for at in (109, 111)] == [True, False]
    assert Budget(FitOptions()).has_time_to_validate(1e9)


def test_lists_that_have_time_enough_take_none_of_the_trainings(clock: Clock) -> None:
    made = planned(clock, FitOptions(minutes=2, listed=4_800, list_minutes=1))
    assert made.lists == 0 and not made.is_spent(119, validates=False)


def test_lists_that_take_more_than_all_the_time_are_said_at_once(clock: Clock) -> None:
    with pytest.raises(NightrecError, match=r"Lists of 20,000 users would take 4 minutes, and there are 3 for"):
        planned(clock, FitOptions(minutes=2, listed=20_000, list_minutes=1))


def test_without_a_limit_nothing_is_looked_at(clock: Clock) -> None:
    made = planned(clock, FitOptions(listed=20_000))
    assert clock.asked == [] and not made.is_spent(1e9, validates=True)
