"""Bootstrap intervals of a mean are those of theory where that is known."""

import numpy as np
import pytest

from recmodels.metrics.bootstrap import GROUPS, bootstrap_intervals


def interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    return bootstrap_intervals(values[:, None], seed)[0]


@pytest.mark.parametrize("n", [400, pytest.param(GROUPS * 3 + 17, marks=pytest.mark.slow)])
def test_the_interval_is_the_normal_one_where_that_holds(n: int) -> None:
    values = np.random.default_rng(0).random(n)
    low, high = interval(values, seed=1)
    half = 1.96 * values.std() / np.sqrt(n)
    assert low == pytest.approx(values.mean() - half, abs=half / 5)
    assert high == pytest.approx(values.mean() + half, abs=half / 5)
    assert interval(values, seed=1) == (low, high)
    assert interval(values, seed=2) != (low, high)


def test_a_constant_has_no_width_and_nothing_no_interval() -> None:
    assert interval(np.full(30, 0.25), seed=0) == (0.25, 0.25)
    few = np.zeros(11)
    few[0] = 0.63092975  # of many draws the mean is 0, and not a little less by rounding
    assert interval(few, seed=0)[0] == 0.0
    with pytest.raises(ValueError, match="no user"):
        interval(np.array([]), seed=0)
