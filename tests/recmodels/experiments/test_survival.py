"""Survival curves by hand, and against scipy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recmodels.experiments.survival import return_times


def test_users_who_may_yet_come_count_while_they_are_watched() -> None:
    """Five users: back after 1 and 3 days; watched for 2, 3 and 4 days without coming."""
    curve = return_times(np.array([1.0, 2, 3, 3, 4]), np.array([True, False, True, False, False]))
    assert list(curve.times) == [1, 3]
    assert curve.away == pytest.approx([4 / 5, 4 / 5 * 2 / 3])
    assert (curve.at(0.5), curve.at(1), curve.at(9)) == pytest.approx((1, 4 / 5, 8 / 15))
    assert curve.median is None


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=40))
def test_the_curve_is_that_of_scipy(users: list[tuple[int, bool]]) -> None:
    waited, came = (np.array(column) for column in zip(*users, strict=True))
    curve = return_times(waited.astype(float), came)
    if not came.any():
        assert curve.at(10) == 1.0
        return
    theirs = stats.ecdf(stats.CensoredData(uncensored=waited[came], right=waited[~came])).sf
    at = np.searchsorted(theirs.quantiles, curve.times)
    assert curve.away == pytest.approx(theirs.probabilities[at])


def test_half_are_back_by_the_median() -> None:
    assert return_times(np.array([1.0, 2, 5, 9]), np.ones(4, np.bool_)).median == 2
    assert return_times(np.arange(1.0, 25), np.ones(24, np.bool_)).median == 12  # a product of twelve shares
