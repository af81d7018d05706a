"""The page about the long run says what the panels say: every figure, what changed when, and what is no chance."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.panel.kept import PanelSummary
from tasks.panel.measures import BY_NAME, MEASURES
from tasks.publish.old_nights import retain_nights
from tasks.publish.settings import RetentionSettings
from tasks.report import artifacts
from tasks.report.long_term import MAIN, by_day, long_term, shown
from tasks.report.long_term_page import _drawn
from tasks.report.page import write_report
from tasks.store.files import write_json
from tasks.store.manifests import run_stage
from tasks.store.paths import Night, Store
from tests.flows.ui.asking import asked, checked, site_at

START = date(2026, 3, 1)
EVIL = "<script>alert(1)</script>"


def kept(store: Store, n: int, gini: float, **about: Any) -> Night:
    """The panel of the n-th night as its stage leaves it."""
    day = START + timedelta(days=n)
    slopes: dict[str, Any] = {one.name: {} for one in MEASURES}
    if n >= 14:
        slopes["exposure_gini"]["28"] = {"value": 0.012, "low": 0.01, "high": 0.014, "nights": n + 1}
        slopes["random_overlap"]["28"] = {"value": -0.0005, "low": -0.001, "high": 0.0001, "nights": n + 1}
        slopes["from_lists"]["28"] = {"value": 0.001, "low": None, "high": None, "nights": n + 1}
    figures: dict[str, float | None] = dict.fromkeys(BY_NAME, None)
    figures |= {"exposure_gini": gini, "random_overlap": 0.2, "from_lists": 0.25}
    summary = PanelSummary(
        message="", notes=[], run_date=str(day), export_id=str(day), champion="ease", assumed=True, users=2_000,
        of_users=8_000, explored=0.0, arms=[], figures=figures, slopes=slopes,
    ) | about  # fmt: skip
    run_stage(store.panel(day), lambda out: summary, code="", inputs={}, parameters={})
    return store.night(day)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """The last of 16 nights."""
    store = Store(tmp_path)
    for n in range(16):
        champion = "ease" if n < 5 else EVIL
        night = kept(store, n, 0.5 + n / 100, champion=champion, explored=0.1 * (n >= 8), arms=["none"] * (n >= 12))
    write_json(night.summary, {"status": "published", "winner": "ease", "reason": "best"})
    return night


def test_sentences_say_what_is_no_chance_and_what_may_be(night: Night) -> None:
    found = long_term(night)
    assert found["sentences"] == [
        "What is shown: over the last 28 days exposure is gathering on fewer items (+0.012 a day, now 0.650).",
        "Lists: over the last 28 days nothing changes that could not be chance.",
        "What people choose: over the last 28 days nothing changes that could not be chance.",
    ]
    assert found["changes"] == [
        ["2026-03-06", EVIL], ["2026-03-09", "exploration 10%"], ["2026-03-13", "arms: none"]
    ]  # fmt: skip
    assert [one["name"] for one in found["measures"]] == ["exposure_gini", "random_overlap", "from_lists"]
    first = long_term(night.store.night(START))["sentences"]
    assert first[0] == (
        "What is shown: after 1 night there is no trend to see yet (Inequality of exposure (Gini) 0.500)."
    )
    assert long_term(night.store.night(START - timedelta(days=1))) == {}


def test_figures_are_written_as_people_read_them() -> None:
    overlap, gini = BY_NAME["random_overlap"], BY_NAME["exposure_gini"]
    assert [shown(overlap, 0.2175), shown(gini, 0.75421), shown(gini, None)] == ["21.8%", "0.754", "-"]
    assert [by_day(overlap, -0.0012), by_day(gini, 0.000041), by_day(gini, 0)] == [
        "-0.12 points a day", "+0.000041 a day", "+0 a day"
    ]  # fmt: skip


@pytest.mark.parametrize("spread", [0.0004, 0.0015, 0.03, 0.4, 7.0])
def test_the_values_of_an_axis_are_told_apart(spread: float) -> None:
    low = 2.9453
    values = [("2026-03-01", low), ("2026-03-02", low + spread)]
    drawn = _drawn({"title": "t", "share": False, "values": values, "slopes": {MAIN: None}}, [])
    labels = re.findall(r">(\d+\.?\d*)</text>", drawn)
    assert len(labels) >= 3 and len(set(labels)) == len(labels)


def test_the_page_is_linked_escaped_and_shown_by_the_ui_and_goes_with_the_report(night: Night) -> None:
    report, page = write_report(night), night.store.long_term(night.run_date)
    text = page.read_text(encoding="utf-8")
    assert f'href="{page.name}"' in report.read_text(encoding="utf-8")
    assert EVIL not in text and "&lt;script&gt;" in text and "<script" not in text
    assert text.count("<svg") == 3 and "exposure is gathering on fewer items" in text
    site = site_at(night.store.root)
    answer = checked(asked(site, f"/nights/{page.name}"), own=False)
    assert "Inequality of exposure" in answer.text
    assert asked(site, "/nights/2020-01-01-long-term.html").status_code == 404
    for n in (15, 16):
        later = night.store.night(START + timedelta(days=n))
        (later.folder / "raw").mkdir(parents=True)
    retain_nights(night.store, RetentionSettings(reports=1), START + timedelta(days=16))
    assert not page.exists() and not report.exists()


def test_the_artifact_has_a_row_a_figure(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(artifacts, "create_table_artifact", lambda **given: made.append(given))
    artifacts.show_long_term(night, long_term(night))
    assert made[0]["description"].startswith("The long run, up to 2026-03-16. What is shown: over the last 28 days")
    assert made[0]["table"][0] == {
        "figure": "Inequality of exposure (Gini)", "tonight": "0.650", "7 days": "",
        "28 days": "+0.012 a day (+0.010 to +0.014)", "90 days": "",
    }  # fmt: skip
    assert made[0]["table"][2]["28 days"] == "+0.10 points a day"
