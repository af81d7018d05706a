"""Slopes find what was planted, and nothing where there is nothing."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.stats import linregress, t

from tasks.panel.slopes import Measured, slopes_of
from tasks.report.long_term import certain
from tests.tasks.panel.simulated import Site


@pytest.fixture(scope="module")
def still() -> list[Measured]:
    """Twenty nights of a site where nothing changes."""
    site = Site(seed=1)
    return [site.measured() for _ in range(20)]


@pytest.mark.slow
def test_a_planted_concentration_is_found_by_night_20_and_nothing_where_there_is_none(still: list[Measured]) -> None:
    site = Site(seed=1, pull=0.15)
    drifting = slopes_of([site.measured() for _ in range(20)])
    for name in ("exposure_gini", "popularity_lift", "random_overlap"):
        assert drifting[name]["28"]["value"] > 0 and certain(drifting[name]["28"]), name
        assert not certain(slopes_of(still)[name]["28"]), name
    assert not certain(drifting["individual_entropy"]["28"])  # people choose as they did


def test_the_slope_of_all_nights_is_that_of_the_figure(still: list[Measured]) -> None:
    found = slopes_of(still)["exposure_gini"]
    values = [one.figures["exposure_gini"] for one in still]
    for window in (7, 20):
        line = np.polyfit(np.arange(window), np.array(values[-window:], float), 1)[0]
        assert found["7" if window == 7 else "28"]["value"] == pytest.approx(line, abs=1e-6)
    assert (found["7"]["nights"], found["28"]["nights"]) == (7, 20)
    assert "90" not in found  # 45 nights are needed


def test_a_figure_that_no_user_has_a_part_of_has_the_interval_of_its_nights_or_none(still: list[Measured]) -> None:
    values = 0.1 + 0.01 * np.arange(20) + 0.002 * (-1.0) ** np.arange(20)
    nights = [
        replace(one, figures={**one.figures, "unseen_7_days": value, "from_lists": value})
        for value, one in zip(values.tolist(), still, strict=True)
    ]
    found = slopes_of(nights)
    line = linregress(np.arange(20), values)
    half = line.stderr * t.ppf(0.975, 18)
    slope = found["from_lists"]["28"]
    ends = [line.slope, line.slope - half, line.slope + half]
    assert [slope["value"], slope["low"], slope["high"]] == pytest.approx(ends)
    assert list(found["unseen_7_days"]["28"].values()) == [pytest.approx(line.slope), None, None, 20]


def test_assumed_exposures_are_not_compared_with_logged_ones(still: list[Measured]) -> None:
    nights = [replace(one, assumed=n < 10) for n, one in enumerate(still)]
    found = slopes_of(nights)
    assert (found["exposure_gini"]["7"]["nights"], "28" in found["exposure_gini"]) == (7, False)
    assert found["popularity_lift"]["28"]["nights"] == 20  # of the lists in any case


def test_nights_that_were_not_run_and_figures_that_are_missing_leave_gaps(still: list[Measured]) -> None:
    later = [replace(one, run_date=one.run_date + timedelta(days=n)) for n, one in enumerate(still)]
    found = slopes_of(later)["exposure_gini"]  # every other day
    assert found["7"]["nights"] == 4 and found["28"]["nights"] == 14
    without = [*still[:-1], replace(still[-1], figures={**still[-1].figures, "exposure_gini": None})]
    assert slopes_of(without)["exposure_gini"] == {}
    empty = pa.table({"user_id": pa.array([], pa.string())})
    assert slopes_of([replace(one, users=empty) for one in still])["exposure_gini"] == {}


def test_what_all_users_of_a_night_have_in_common_widens_the_interval(still: list[Measured]) -> None:
    """Each night moves everybody by chance: resampled users all show it, and the nights tell that it is none."""
    draw = np.random.default_rng(5)
    shaken = []
    for one in still:
        shift = draw.normal(0, 0.1)
        users = one.users.set_column(
            one.users.column_names.index("exposure_gini"), "exposure_gini", pc.add(one.users["exposure_gini"], shift)
        )
        shaken.append(replace(one, users=users, figures={**one.figures, "exposure_gini": shift}))
    slope = slopes_of(shaken)["exposure_gini"]["28"]
    assert not certain(slope)
    assert slope["high"] - slope["low"] > 4 * 0.1 / np.sqrt(20**3 / 12)  # four standard errors of such a line
