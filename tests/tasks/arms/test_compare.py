"""Arms are compared with main by what is fair, corrected for what is looked at, and told in a sentence."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.arms.compare import Correction, detectable, lasting, measured, median_return, preferred
from tasks.arms.results import ArmResult, Measured, Preference, sentence
from tasks.arms.users import Doings

N = 400
ARM = np.arange(N) < N // 2
CORRECTION = Correction.of(2, 28.0)


def doings(seed: int = 0, lift: float = 0.0) -> Doings:
    """Users who come as they did before; those of the arm more often by a lift."""
    draw = np.random.default_rng(seed)
    habit = draw.gamma(2, 2, N)
    events = draw.poisson(habit * np.where(ARM, 1 + lift, 1) * 4) / 4
    half = draw.random(N)
    nan = np.full(N, np.nan)
    return Doings(
        days=28.0,
        came=np.ones(N, np.bool_),
        events=events,
        events_late=events,
        events_before=draw.poisson(habit * 4).astype(float),
        visits_before=np.minimum(28, habit),
        hit_days=half,
        recall=half / 2,
        back_7=(half < 0.5).astype(float),
        back_28=nan,
        waited=np.where(ARM, 8.0, 3.0),
        came_back=np.ones(N, np.bool_),
        variety=half,
        variety_before=nan,
        exposed=np.zeros(N, np.bool_),
        rewards=np.where(half < 0.5, 2.0, 0.0),
        rewards_late=np.where(half < 0.5, 2.0, 0.0),
        of_challenger=np.where(half < 0.3, 2.0, 0.0),
        of_champion=np.where((half >= 0.3) & (half < 0.5), 2.0, 0.0),
    )


def test_the_outcome_comes_first_and_what_nobody_has_is_left_out() -> None:
    found = measured(doings(lift=0.5), ARM, ~ARM, CORRECTION)
    assert [one.metric for one in found] == [
        "interactions", "hit_rate", "recall", "retention_7", "return_7", "diversity"
    ]  # fmt: skip
    assert found[0].certain and found[0].difference == pytest.approx(2, abs=0.6)
    assert found[0].variance_left < 0.5  # what users did before tells much
    assert (found[0].users, found[0].users_of_main) == (N // 2, N // 2)
    assert not found[1].certain
    back = next(one for one in found if one.metric == "return_7")
    assert (back.arm, back.main) == pytest.approx((0, 1))  # the arm's users wait for 8 days, main's for 3
    assert [median_return(doings(), group) for group in (ARM, ~ARM)] == [8, 3]


def test_logged_exposures_make_rewards_the_outcome_of_those_who_were_shown_something() -> None:
    shown = replace(doings(), exposed=np.arange(N) % 2 == 0)
    found = measured(shown, ARM, ~ARM, CORRECTION)
    assert [one.metric for one in found[:2]] == ["rewards", "interactions"]
    assert (found[0].users, found[1].users) == (N // 4, N // 2)


def test_more_arms_and_more_figures_have_wider_intervals() -> None:
    def width(arms: int, metric: int) -> float:
        one = measured(doings(), ARM, ~ARM, Correction.of(arms, 28.0))[metric]
        return (one.high - one.low) / one.error

    assert width(1, 0) == pytest.approx(2 * 3.04, abs=0.02)
    assert width(1, 0) < width(3, 0) < width(3, 1)


def test_an_arm_without_two_users_has_nothing_to_compare() -> None:
    alone = np.arange(N) == 0
    assert measured(doings(), alone, ~ARM, CORRECTION) == []
    assert preferred(doings(), np.zeros(N, np.bool_), CORRECTION) is None


@pytest.mark.parametrize("back", [True, False])
def test_a_few_users_who_happened_to_come_back_tell_nothing(back: bool) -> None:
    few = np.flatnonzero(ARM)[:5]
    came = np.arange(N) % 2 == 0
    came[few] = back
    found = replace(doings(), waited=np.where(came, 2.0, 10.0), came_back=came)
    arm = np.isin(np.arange(N), few)
    (one,) = (one for one in measured(found, arm, ~ARM, CORRECTION) if one.metric == "return_7")
    assert one.difference == pytest.approx(0.5 if back else -0.5, abs=0.02) and not one.certain
    assert one.error == pytest.approx(0.5 * (1 / 5 + 2 / N) ** 0.5, rel=0.01)


def test_mixed_lists_tell_whose_items_are_rewarded() -> None:
    found = preferred(doings(), ARM, CORRECTION)
    assert found is not None and found.users == np.count_nonzero(doings().rewards[ARM])
    assert found.value == pytest.approx(0.2, abs=0.15)  # .3 of .5 to the challenger: (.3 - .2) / .5
    assert found.low < found.value < found.high


def test_what_users_always_do_is_told_from_what_they_happened_to_do() -> None:
    """Of a habit of variance 1 that no week before tells of, and 1 of chance in each half of the time: 1 of 1.5."""
    draw, n = np.random.default_rng(3), 20_000
    habit, first, second = draw.normal(0, 1, (3, n))
    many = {one: np.zeros(n) for one in ("rewards", "rewards_late", "events_before")}
    found = replace(doings(), exposed=np.ones(n, np.bool_), **many)
    found = replace(found, rewards=habit + (first + second) / 2, rewards_late=habit + second)
    assert lasting(found, np.ones(n, np.bool_)) == pytest.approx(1 / 1.5, abs=0.02)
    known = replace(found, events_before=habit)
    assert lasting(known, np.ones(n, np.bool_)) == pytest.approx(0, abs=0.03)


def of(low: float, high: float, main: float = 2.0, **more: Any) -> ArmResult:
    """An arm of 1,000 users and 14 days whose outcome has such an interval."""
    value = (low + high) / 2
    one = Measured(
        metric="rewards", label="", unit="number", arm=main + value, main=main, difference=value, error=0.02,
        low=low, high=high, users=1_000, users_of_main=9_000,
    )  # fmt: skip
    about = {"arm": "holdback", "policy": "popularity", "share": 0.1, "since": "2026-03-01T05:00:00+00:00"}
    result = ArmResult(**about, days=14.0, users=1_000, metrics=[one])
    return result.model_copy(update={"detectable": detectable(one, Correction.of(1, 14.0)), **more})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (of(-0.1, -0.024), "holdback: 3.1% fewer rewards than main (-5.0% to -1.2%), so main's lists help."),
        (
            of(0.2, 0.4),
            "holdback: 15% more rewards than main (+10.0% to +20.0%), so what is popular does better than main's "
            "lists.",
        ),
        (
            of(-0.06, 0.08),
            "holdback: no difference from main can be told yet (+0.5%, -3.0% to +4.0%): with its 1,000 users one of "
            "2% would be found in 40 more days.",
        ),
        (of(-0.06, 0.08, lasting=0.5), "one of 3% would be found in 70 more days."),
        (of(-0.06, 0.08, lasting=0.95), "one of 5% would be found by now."),
        (of(-0.01, 0.03, policy="challenger"), "one of 2% would be found in 40 more days."),
        (of(0.1, 0.2, policy="no_exploration"), "so exploration has its price."),
        (
            of(-0.2, -0.1, policy="interleave", preference=Preference(value=0.1, low=0.05, high=0.15, users=9)),
            "In its mixed lists the challenger is preferred to the champion (+10.0%, +5.0% to +15.0%).",
        ),
        (
            of(-0.2, -0.1, policy="interleave", preference=Preference(value=-0.1, low=-0.2, high=0.05, users=9)),
            "In its mixed lists neither model is preferred so far (-10.0%, -20.0% to +5.0%).",
        ),
        (
            of(0.1, 0.2, policy="last_champion", nights=14, nights_of_main=3),
            "In 3 of its 14 nights its users had the lists of main.",
        ),
        (of(0, 0, metrics=[]), "holdback: too few users have come in its 14 days to compare it with main."),
        (
            of(0, 0, main=0.0),
            "holdback: main has 0 rewards in its 14 days, so there is nothing that a difference would be a share of.",
        ),
        (of(0, 0, since=None), "holdback: its lists are yet to be published."),
    ],
)
def test_an_arm_is_told_in_a_sentence(found: ArmResult, says: str) -> None:
    assert sentence(found).endswith(says)
