import numpy as np
import pytest

from recmodels.simulation.effects import effect, over_runs
from recmodels.simulation.redrawn import Redrawn
from recmodels.simulation.runs import Run
from tests.recmodels.simulation.made_up import NIGHTS, USERS, run

LAST = slice(NIGHTS - 4, NIGHTS)


def test_an_effect_is_the_difference_of_levels_and_paired_by_user() -> None:
    """Ten percent more for every user: the users differ by far more than that, and it makes no difference."""
    found = effect("accuracy", [run(accuracy=0.55)], [run(accuracy=0.5)], LAST, Redrawn(USERS))
    assert found.level == pytest.approx(1.1 * found.reference)
    assert found.relative.value == pytest.approx(0.1)
    assert (found.relative.low, found.relative.high) == pytest.approx((0.1, 0.1))
    assert found.over == "users" and found.certain and found.good is True


def test_totals_are_told_as_sums() -> None:
    found = effect("total_utility", [run(total_utility=30)], [run(total_utility=40)], LAST, Redrawn(USERS))
    nights = run(total_utility=30).by_user["total_utility"][LAST]
    assert found.level == pytest.approx(nights.sum() / len(nights))
    assert found.difference.low <= found.difference.value <= found.difference.high < -5
    assert found.relative.value == pytest.approx(-0.25) and found.good is False


def test_less_is_better_where_the_figure_says_so_and_neither_where_that_depends() -> None:
    more, less = run(regret=2.0, list_popularity=2.0), run(regret=1.0, list_popularity=1.0)
    assert effect("regret", [more], [less], LAST, Redrawn(USERS)).good is False
    assert effect("regret", [less], [more], LAST, Redrawn(USERS)).good is True
    assert effect("list_popularity", [more], [less], LAST, Redrawn(USERS)).good is None


def test_what_may_be_chance_is_neither_good_nor_bad() -> None:
    found = effect("accuracy", [run(1, accuracy=0.5)], [run(2, accuracy=0.5)], LAST, Redrawn(USERS))  # other users
    assert found.difference.low < 0 < found.difference.high
    assert not found.certain and found.good is None


def test_figures_of_no_user_have_no_interval_in_one_run_and_one_over_several() -> None:
    one, other = [run(alive_items=50)], [run(alive_items=100)]
    found = effect("alive_items", one, other, LAST, Redrawn(USERS))
    assert found.relative.value == -0.5 and found.relative.low is None and found.over == "nothing"
    assert not found.certain and found.good is None

    several = [run(alive_items=level) for level in (50, 60, 70)]
    found = effect("alive_items", several, other * 3, LAST, Redrawn(0))
    reach = 4.30265 * 10 / np.sqrt(3)  # Student's t with 2 degrees of freedom, of 95 %
    assert (found.difference.low, found.difference.high) == pytest.approx((-40 - reach, -40 + reach), rel=1e-5)
    assert found.over == "runs" and found.certain


def test_shares_are_told_as_differences() -> None:
    found = effect("dead_items", [run(dead_items=0.3)], [run(dead_items=0.2)], LAST, Redrawn(USERS))
    assert found.relative is None and found.difference.value == pytest.approx(0.1)


def test_what_one_has_not_is_not_compared() -> None:
    assert effect("recall", [run(accuracy=1)], [run(recall=1)], LAST, Redrawn(USERS)) is None


def test_too_few_users_have_no_interval() -> None:
    few = run(accuracy=0.5)
    few.by_user["accuracy"][:, 5:] = np.nan
    assert effect("accuracy", [few], [few], LAST, Redrawn(USERS)).over == "nothing"


@pytest.mark.slow
def test_intervals_cover_what_is_true() -> None:
    """Users gain 1 on average, each another amount: of intervals from 40 of them, 19 in 20 have the 1 within."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        base = rng.normal(5, 2, (1, USERS))
        gain = rng.normal(1, 2, (1, USERS))
        with_it, without = (Run({"regret": one.mean(axis=1)}, {"regret": one}) for one in (base + gain, base))
        found = effect("regret", [with_it], [without], slice(0, 1), Redrawn(USERS, seed)).difference
        held += found.low <= 1 <= found.high
    assert 88 <= held <= 99


def test_one_run_has_no_interval_over_runs() -> None:
    assert over_runs(np.array([3.0])).low is None and not over_runs(np.array([3.0])).certain
