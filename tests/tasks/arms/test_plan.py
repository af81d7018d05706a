"""A plan foresees what arms show by what the site's own users did."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.experiments.effects import effect
from tasks.arms.plan import Past, Plan, plan_of
from tasks.store.manifests import run_stage
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import show, write_log, write_users
from tests.tasks.site import CUTOFF, RUN_DATE

N = 400
PAST = [Past(days, 1_000, 2.0, 2 / days**0.5, 0.5) for days in (7, 14, 28)]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Users with habits, over 60 days."""
    night = Store(tmp_path).night(RUN_DATE)
    manifest = {"cutoff": CUTOFF.isoformat()}
    run_stage(night.prepared, lambda out: {"message": ""}, code="", inputs={}, parameters=manifest)
    write_users(night, list(range(1, N + 1)))
    draw = np.random.default_rng(0)
    counts = draw.poisson(draw.gamma(2, 5, N))
    rows = [(user, "a", float(day)) for user, n in enumerate(counts, 1) for day in draw.uniform(0, 60, n)]
    write_log(night, rows)
    return night


def test_a_plan_looks_at_periods_that_have_weeks_before_them(night: Night) -> None:
    plan = plan_of(night)
    assert [one.days for one in plan.past] == [7, 14, 28]
    last = plan.past[-1]
    assert plan.outcome == "interactions"
    assert (last.users, last.mean) == (N, pytest.approx(10 * 7 / 60, rel=0.1))
    assert last.variance_left < 0.8
    assert [one.days for one in plan_of(night, days=10).past] == [10]


def test_rewards_are_the_outcome_where_exposures_are_logged(night: Night) -> None:
    show(night, 5, [(user, user % 2, "ease") for user in range(1, 101)])
    show(night, 9, [(user, 0, "ease") for user in range(1, 101)])
    plan = plan_of(night, days=8)
    assert (plan.outcome, plan.past[0].users, plan.past[0].mean) == ("rewards", 100, 0.5 * 7 / 8)


@pytest.mark.slow
def test_a_plan_looks_at_no_days_of_which_nobody_knows_what_was_rewarded(night: Night) -> None:
    """A site that has begun to log five days ago: over four weeks its rewards would be a fifth of what they are."""
    show(night, 5, [(user, user % 2, "ease") for user in range(1, 101)])
    (past,) = plan_of(night).past
    assert (past.days, past.users, past.mean) == (5, 100, pytest.approx(0.5 * 7 / 5))
    with pytest.raises(ConfigError, match="--days 14 is more than the 5 days of which exposures are logged"):
        plan_of(night, days=14)


@pytest.mark.slow
def test_an_arm_of_the_planned_size_finds_the_planned_difference_as_often_as_planned() -> None:
    """Two thirds of a site's 6,000 users in main, a third in the arm, and four weeks."""
    draw, share = np.random.default_rng(0), 1 / 3
    habit, planned = draw.gamma(2, 1, 100_000), 4.0
    outcome, before = draw.poisson(habit * planned) / planned, draw.poisson(habit * planned) / planned
    left = 1 - np.corrcoef(outcome, before)[0, 1] ** 2
    past = Past(28, 6_000, float(outcome.mean()), float(outcome.std() * left**0.5), float(left))
    lift = Plan("interactions", [past], 0.8, 1).smallest(past, share)
    found = []
    for _ in range(200):
        habit = draw.gamma(2, 1, 6_000)
        rate = habit * planned * np.where(np.arange(6_000) < 2_000, 1 + lift, 1)
        outcome, before = draw.poisson(rate) / planned, draw.poisson(habit * planned) / planned
        one = effect(outcome[:2_000], outcome[2_000:], before=(before[:2_000], before[2_000:]))
        found.append(one.low > 0)
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_the_days_to_a_difference_are_between_those_that_were_looked_at_or_after_them() -> None:
    plan = Plan("interactions", PAST, 0.8, 1)
    sizes = [plan.smallest(one, 0.1) for one in PAST]
    assert sizes == sorted(sizes, reverse=True)
    assert plan.days(1.0, 0.1) == 7
    assert 14 < (plan.days((sizes[1] + sizes[2]) / 2, 0.1) or 0) < 28
    assert 28 < (plan.days(sizes[2] * 0.8, 0.1) or 0) < 60
    assert plan.days(sizes[2] / 10, 0.1) is None
    needed = plan.users(sizes[2], 0.1, PAST[2])
    assert needed == pytest.approx(PAST[2].users, abs=2)


def test_habits_that_no_week_before_explains_keep_a_difference_hidden_for_ever() -> None:
    stubborn = [Past(days, 1_000, 2.0, 2.0, 1.0) for days in (28, 56)]
    plan = Plan("interactions", stubborn, 0.8, 1)
    assert plan.days(plan.smallest(stubborn[1], 0.1) * 0.95, 0.1) is None


def test_what_cannot_be_planned_is_refused(night: Night) -> None:
    with pytest.raises(ConfigError, match="--days 90 is more than the 60 days"):
        plan_of(night, days=90)
    with pytest.raises(ConfigError, match="not in the store any more"):
        plan_of(night.store.night(RUN_DATE - timedelta(days=1)))
