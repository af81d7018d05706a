"""Levels, trends and differences against what was planted."""

from datetime import date, timedelta

import numpy as np
import pytest

from tasks.replay.found import Number, OfModel, OfPair, better, certain, found_of
from tasks.replay.measures import BY_NAME, MEASURES, OF_USERS
from tasks.replay.panel import Panel

NIGHTS, USERS = 12, 40


def planted(gap: float, slope: float) -> Panel:
    """Two models over users with habits of their own: the second is better by `gap`, and the first changes by `slope` a
    day; chance is shared by both but for a little.
    """
    draw = np.random.default_rng(0)
    user, at = (part.ravel().astype(np.int32) for part in np.indices((USERS, NIGHTS)))
    habit, chance = draw.normal(0.5, 0.2, USERS)[user], draw.normal(0, 0.1, len(user))
    values = np.full((len(user), 2, len(OF_USERS)), np.nan)
    for column in (OF_USERS.index("ndcg"), OF_USERS.index("novelty")):
        values[:, 0, column] = habit + chance + slope * 2 * at + draw.normal(0, 0.01, len(user))
        values[:, 1, column] = habit + chance + gap + draw.normal(0, 0.01, len(user))
    nights = np.full((NIGHTS, 2, len(MEASURES)), np.nan)
    names = [one.name for one in MEASURES]
    for name in ("ndcg", "novelty"):
        of = values[:, :, OF_USERS.index(name)]
        nights[:, :, names.index(name)] = [of[at == night].mean(axis=0) for night in range(NIGHTS)]
    nights[:, 0, names.index("coverage")] = 0.2 + 0.01 * np.arange(NIGHTS)
    nights[:, 1, names.index("coverage")] = 0.1 + 0.01 * np.arange(NIGHTS) + 0.001 * (np.arange(NIGHTS) % 2)
    days = [date(2026, 1, 1) + timedelta(days=2 * night) for night in range(NIGHTS)]
    return Panel(days, ["als", "ease"], nights, user, at, values)


def model(found: list[OfModel], name: str, measure: str) -> OfModel:
    return next(one for one in found if (one["model"], one["measure"]) == (name, measure))


def pair(found: list[OfPair], measure: str) -> OfPair:
    return next(one for one in found if one["measure"] == measure)


def of(number: Number | None) -> Number:
    assert number is not None
    return number


def test_a_small_difference_between_models_is_certain_though_users_differ_far_more() -> None:
    of_models, of_pairs = found_of(planted(gap=0.01, slope=0))
    levels = [of(model(of_models, name, "ndcg")["level"]) for name in ("als", "ease")]
    apart = of(pair(of_pairs, "ndcg")["level"])
    assert apart["value"] == pytest.approx(levels[0]["value"] - levels[1]["value"])
    assert apart["value"] == pytest.approx(-0.01, abs=0.002)
    assert certain(apart) == -1 and certain(of(pair(of_pairs, "ndcg")["slope"])) == 0
    assert of(levels[0])["low"] < levels[1]["value"] < levels[0]["high"]  # type: ignore[operator]


def test_a_trend_is_a_day_not_a_night_and_the_models_are_told_apart_by_it() -> None:
    of_models, of_pairs = found_of(planted(gap=0, slope=0.003))
    rising, still = (of(model(of_models, name, "ndcg")["slope"]) for name in ("als", "ease"))
    assert rising["value"] == pytest.approx(0.003, abs=0.001)
    assert certain(rising) == 1 and certain(still) == 0
    assert of(pair(of_pairs, "ndcg")["slope"])["value"] == pytest.approx(0.003, abs=0.0002)


def test_a_figure_of_nights_is_compared_night_by_night() -> None:
    of_models, of_pairs = found_of(planted(gap=0, slope=0))
    level = of(model(of_models, "als", "coverage")["level"])
    assert level["value"] == pytest.approx(0.255) and level["low"] is None  # what it has is a trend, not chance
    assert of(model(of_models, "als", "coverage")["slope"])["value"] == pytest.approx(0.005)
    apart = of(pair(of_pairs, "coverage")["level"])
    assert apart["value"] == pytest.approx(0.0995) and certain(apart) == 1


def test_what_memory_is_for_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = found_of(planted(gap=0.01, slope=0.003))
    monkeypatch.setattr("tasks.replay.found.NUMBERS", 1)
    assert found_of(planted(gap=0.01, slope=0.003)) == at_once


def test_what_nobody_has_is_nothing() -> None:
    of_models, of_pairs = found_of(planted(gap=0, slope=0))
    assert model(of_models, "als", "recall")["level"] is None and pair(of_pairs, "recall")["slope"] is None
    assert model(of_models, "als", "recall")["nights"] == 0


def test_less_is_better_of_what_should_be_low() -> None:
    more = Number(value=0.1, low=0.05, high=0.15)
    assert [better(BY_NAME[name], more) for name in ("ndcg", "exposure_gini", "churn")] == [1, -1, 0]
    assert better(BY_NAME["ndcg"], Number(value=0.1, low=-0.05, high=0.15)) == 0
