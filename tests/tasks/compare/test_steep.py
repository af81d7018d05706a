"""Slopes of the long run up to last night guard the gate: what is beyond a limit by its whole interval."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.compare.decision import Decision, Verdict
from tasks.compare.gate import decide
from tasks.compare.settings import GateSettings
from tasks.compare.stage import _with_slopes
from tasks.compare.steep import steep
from tasks.store.manifests import run_stage
from tasks.store.paths import Store
from tests.tasks.compared import CHAMPION, INCUMBENT, summary

TONIGHT = date(2026, 3, 31)


def kept(root: Path, slopes: dict[str, Any], days_ago: int = 1) -> Store:
    """A store whose last panel has some slopes over 28 days."""
    store = Store(root)
    about = {"slopes": {name: {"28": {"nights": 20, **one}} for name, one in slopes.items()}, "assumed": True}
    run_stage(store.panel(TONIGHT - timedelta(days=days_ago)), lambda out: about, code="", inputs={}, parameters={})
    return store


def broken(store: Store, **guards: Any) -> list[str]:
    settings = GateSettings.model_validate({"slopes": guards})
    return [one.clause for one in steep(store, TONIGHT, settings.slopes)]


@pytest.mark.parametrize(
    ("slope", "guard", "is_broken"),
    [
        ({"value": 0.004, "low": 0.003, "high": 0.005}, {"max": 0.002}, True),
        ({"value": 0.004, "low": 0.001, "high": 0.005}, {"max": 0.002}, False),  # it may be chance
        ({"value": 0.004, "low": None, "high": None}, {"max": 0.002}, True),
        ({"value": -0.004, "low": -0.005, "high": -0.003}, {"min": -0.002, "max": 1}, True),
        ({"value": 0.004, "low": 0.003, "high": 0.005}, {"max": 0.002, "days": 90}, False),  # there is none
    ],
)
def test_a_guard_is_broken_where_all_of_the_interval_is_beyond_it(
    tmp_path: Path, slope: Any, guard: Any, is_broken: bool
) -> None:
    assert bool(broken(kept(tmp_path, {"exposure_gini": slope}), exposure_gini=guard)) is is_broken


def test_what_is_broken_is_said_and_an_old_panel_says_nothing(tmp_path: Path) -> None:
    slopes = {"exposure_gini": {"value": 0.004, "low": 0.003, "high": 0.005}}
    assert broken(kept(tmp_path / "new", slopes), exposure_gini={"max": 0.002}) == [
        "exposure_gini changes by +0.004 a day over 28 days, and +0.002 is the most (gate.slopes.exposure_gini.max)"
    ]
    assert broken(kept(tmp_path / "old", slopes, days_ago=8), exposure_gini={"max": 0.002}) == []
    assert broken(Store(tmp_path / "none"), exposure_gini={"max": 0.002}) == []


@pytest.mark.parametrize(("gini", "verdict"), [(0.9, Verdict.STAYS), (0.5, Verdict.PROMOTED)])
def test_a_challenger_that_is_more_extreme_is_not_promoted_and_the_champion_goes_on_with_a_warning(
    tmp_path: Path, gini: float, verdict: Verdict
) -> None:
    store = kept(tmp_path, {"exposure_gini": {"value": 0.004, "low": 0.003, "high": 0.005}})
    settings = GateSettings.model_validate({"slopes": {"exposure_gini": {"max": 0.002}}})
    found = steep(store, TONIGHT, settings.slopes)
    values = {"als": CHAMPION[:300], "ease": CHAMPION[:300] + 0.1}
    summaries = {"als": summary(values["als"], gini=0.8), "ease": summary(values["ease"], gini=gini)}
    decision = _with_slopes(decide(settings, summaries, values, INCUMBENT, {}, slopes=found), INCUMBENT, found)
    assert decision.verdict is verdict
    warned = ["The champion als goes on, while " + found[0].clause + "."] if verdict is Verdict.STAYS else []
    assert decision.warnings == warned
    assert ("has gini 0.900, the champion 0.800" in decision.reason) is bool(warned)


def test_a_figure_without_a_counterpart_only_warns(tmp_path: Path) -> None:
    store = kept(tmp_path, {"from_lists": {"value": 0.02, "low": None, "high": None}})
    settings = GateSettings.model_validate({"slopes": {"from_lists": {"max": 0.01}}})
    found = steep(store, TONIGHT, settings.slopes)
    values = {"als": CHAMPION[:300], "ease": CHAMPION[:300] + 0.1}
    summaries = {name: summary(value) for name, value in values.items()}
    assert decide(settings, summaries, values, INCUMBENT, {}, slopes=found).verdict is Verdict.PROMOTED
    first = Decision(winner="als", reason="", verdict=Verdict.FIRST)
    assert _with_slopes(first, None, found).warnings == []


@pytest.mark.parametrize(
    ("slopes", "said"),
    [
        ({"gini": {"max": 1}}, "'gini' is no figure of the long run; there are exposure_gini, "),
        ({"age": {}}, "give max, min, or both"),
        ({"age": {"max": 1, "days": 30}}, "7, 28 or 90"),
    ],
)
def test_a_guard_that_guards_nothing_is_refused(slopes: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GateSettings.model_validate({"slopes": slopes})
