import math

import numpy as np
import pytest

from recmodels.simulation.behavior import Choices
from recmodels.simulation.fit_check import FIGURES, compared, moments, variety


def choices(*rows: tuple[int, int, int]) -> Choices:
    """From (user, item, night), in order of time."""
    user, item, night = (np.array(column, np.int32) for column in zip(*rows, strict=True))
    return Choices(user, item, night, np.zeros(len(rows), np.int32))


def test_variety_is_that_of_the_last_five_choices_of_each_user() -> None:
    category = np.array([0, 0, 1, 2], np.int32)
    one = [(0, 2, -9), *((0, item, night) for night, item in enumerate((0, 1, 0, 2, 3), -8))]  # 3 of 0, one of 1 and 2
    other = [(1, 3, -3)] * 4  # too few
    expected = -(0.6 * math.log2(0.6) + 2 * 0.2 * math.log2(0.2))
    assert variety(choices(*one, *other), category) == pytest.approx(expected)
    assert math.isnan(variety(choices(*other), category)) and math.isnan(variety(Choices.none(), category))


def test_inequality_is_that_of_the_last_choices_alone() -> None:
    category = np.zeros(4, np.int32)
    log = choices(*((0, 0, -5),) * 90, (0, 1, -1), (1, 1, -1), (2, 2, -1), (3, 3, -1))
    assert moments(log, category, 4)["popularity_gini"] == pytest.approx((-3 * 0 - 1 * 1 + 1 * 1 + 3 * 2) / (4 * 4))


def test_a_site_is_compared_with_its_simulation_figure_by_figure() -> None:
    category = np.array([0, 1, 0], np.int32)
    site = choices((0, 0, -2), (0, 1, -1), (1, 0, -1))
    simulated = choices((0, 0, -2), (0, 1, -2), (0, 2, -2), (1, 0, -1), (1, 1, -1), (2, 0, -1))
    fit = compared(site, simulated, category, 4, 2, {"match": 4.0}, seed=0)
    assert list(fit.site) == list(fit.simulated) == list(FIGURES)
    assert (fit.days, fit.users, fit.items, fit.choices, fit.measured) == (2, 4, 3, 3, {"match": 4.0})
    assert (fit.site["choices_a_user"], fit.simulated["choices_a_user"]) == (0.75, 1.5)
    assert (fit.site["choices_median"], fit.simulated["choices_median"]) == (1.5, 2.0)
    assert fit.simulated["choices_upper"] == pytest.approx(2.8)
    # 0, 0, 1, 2 choices against 0, 1, 2, 3: at 0 and at 1 the shares of users below differ by a quarter
    assert (fit.site["activity_distance"], fit.simulated["activity_distance"]) == (0.0, 0.25)


def test_what_cannot_be_measured_is_nan_and_no_error() -> None:
    fit = compared(Choices.none(), choices((0, 0, -1)), np.zeros(2, np.int32), 3, 1, {}, seed=0)
    assert math.isnan(fit.site["reference_ndcg"]) and math.isnan(fit.site["choices_median"])
    assert fit.site["popularity_gini"] == 0.0 and fit.site["choices_a_user"] == 0.0
