"""Tests of differences, beside SciPy's and by hand."""

import numpy as np
import pytest
from scipy import stats

from recmodels.metrics.significance import NORMAL_USERS, holm, paired, sign_flip


def test_few_users_are_tested_exactly() -> None:
    # Of the 8 assignments of signs to 3, 2, 1, two reach a sum of 6; zeros say nothing.
    assert sign_flip(np.array([3.0, 0.0, 2.0, 1.0]), seed=0) == 2 / 8
    assert sign_flip(np.array([3.0, -2.0, 1.0]), seed=0) == 6 / 8
    assert sign_flip(np.zeros(50), seed=0) == 1


@pytest.mark.parametrize("shift", [0.0, 0.15])
def test_more_users_are_tested_as_scipy_does(shift: float) -> None:
    values = np.random.default_rng(1).normal(shift, 1, 300)
    theirs = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=5000, rng=np.random.default_rng(2)
    )
    assert sign_flip(values, seed=0, resamples=5000) == pytest.approx(theirs.pvalue, abs=0.02)


def test_many_users_follow_the_normal_law() -> None:
    values = np.random.default_rng(3).normal(0.015, 1, NORMAL_USERS + 1)
    assert sign_flip(values, seed=0) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=0.02)


def test_the_bootstrap_agrees_with_the_t_test_where_that_holds() -> None:
    values = np.random.default_rng(4).normal(0.1, 1, 500)
    found, t = paired(values, seed=0, resamples=5000), stats.ttest_1samp(values, 0)
    low, high = t.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)
    assert found.p_bootstrap == pytest.approx(t.pvalue, abs=0.02)
    assert found.p_permutation == pytest.approx(t.pvalue, abs=0.02)
    assert paired(values, seed=0, resamples=5000) == found


def test_the_same_difference_for_all_is_certain_and_none_is_none() -> None:
    assert paired(np.full(40, 0.5), seed=0).p_bootstrap < 0.001
    assert (paired(np.zeros(40), seed=0).p_bootstrap, paired(np.zeros(40), seed=0).p_permutation) == (1, 1)


def test_holms_correction_by_hand() -> None:
    # ascending .005 * 4, .011 * 3, .02 * 2 -> .04, .04 * 1 -> .04
    assert holm([0.02, 0.005, 0.04, 0.011]) == pytest.approx([0.04, 0.02, 0.04, 0.033])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []
