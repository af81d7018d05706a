import numpy as np
import pytest

from recmodels.simulation.redrawn import Redrawn
from recmodels.simulation.trajectories import POINTS, stretches, trajectories
from tests.recmodels.simulation.made_up import NIGHTS, USERS, run


@pytest.mark.parametrize("nights", [1, POINTS, POINTS + 1, 100, 365])
def test_points_are_stretches_of_nights_that_leave_none_out(nights: int) -> None:
    parts = stretches(nights)
    assert len(parts) <= POINTS
    assert [night for part in parts for night in range(part.start, part.stop)] == list(range(nights))
    assert len({part.stop - part.start for part in parts[1:]}) <= 1


def test_a_trajectory_has_the_mean_of_its_nights_a_band_and_a_slope() -> None:
    one = run(regret=(1.0, 2.0), total_utility=(40.0, 20.0), dead_items=0.5)
    total, regret, dead = trajectories([one], Redrawn(USERS))
    assert regret.nights == list(range(2, NIGHTS + 1, 2))
    assert regret.values == pytest.approx(one.figures["regret"].reshape(-1, 2).mean(axis=1))
    for figure in (regret, total):
        assert all(low < value < high for low, value, high in zip(figure.low, figure.values, figure.high, strict=True))
    spread = np.std(one.by_user["total_utility"][:2].mean(axis=0)) * np.sqrt(USERS)
    assert total.high[0] - total.low[0] == pytest.approx(2 * 1.96 * spread, rel=0.3)
    assert regret.slope.value == pytest.approx(1 / (NIGHTS - 1), rel=0.1) and regret.slope.certain
    assert total.slope is None  # a sum is of no user
    assert dead.low == [None] * len(dead.nights) and dead.slope is None


def test_bands_of_several_runs_are_over_the_runs() -> None:
    (found,) = trajectories([run(dead_items=level) for level in (0.1, 0.2, 0.3)], Redrawn(0))
    reach = 4.30265 * 0.1 / np.sqrt(3)
    assert (found.low[0], found.values[0], found.high[0]) == pytest.approx((0.2 - reach, 0.2, 0.2 + reach), rel=1e-5)


def test_slopes_of_several_runs_are_over_the_runs_and_of_all_figures() -> None:
    ends = (1.27, 1.54, 1.81)  # from 1, in 27 nights: slopes of .01, .02 and .03
    (found,) = trajectories([run(dead_items=(1.0, end)) for end in ends], Redrawn(0))
    reach = 4.30265 * 0.01 / np.sqrt(3)
    assert found.slope.value == pytest.approx(0.02)
    assert (found.slope.low, found.slope.high) == pytest.approx((0.02 - reach, 0.02 + reach), rel=1e-5)


def test_a_figure_that_looks_back_has_no_slope_until_it_looks_back_at_lists_only() -> None:
    """These 28 nights are hardly more than the window: what changes in them is what was before them."""
    (single,) = trajectories([run(individual_diversity=(1.0, 2.0))], Redrawn(USERS))
    (several,) = trajectories([run(individual_diversity=(1.0, 2.0))] * 2, Redrawn(0))
    assert single.slope is None and several.slope is None
    assert single.values[0] is not None


def test_nights_without_a_figure_have_no_point() -> None:
    one = run(dead_items=0.5)
    one.figures["dead_items"][:4] = np.nan
    (found,) = trajectories([one], Redrawn(USERS))
    assert found.values[:3] == [None, None, 0.5]
