"""The report shows each arm's figures in words, and how its outcome went since it began."""

from datetime import timedelta
from pathlib import Path

from tasks.arms.results import ArmResult, Arms, Measured
from tasks.report.arms import arms_figures, arms_rows
from tasks.store.files import write_json
from tasks.store.paths import Store
from tests.tasks.site import RUN_DATE


def measured(metric: str, unit: str, difference: float = -0.08, main: float = 0.8) -> Measured:
    return Measured.of(
        {
            "metric": metric, "label": metric, "unit": unit, "arm": main + difference, "main": main,
            "difference": difference, "error": 0.01, "low": difference - 0.04, "high": difference + 0.04,
            "users": 1_234, "users_of_main": 9_000,
        }
    )  # fmt: skip


def arm(since: str = "2026-03-01", difference: float = -0.08) -> ArmResult:
    metrics = [measured("rewards", "number", difference), measured("recall", "share"), measured("diversity", "bits")]
    about = {"arm": "holdback", "policy": "popularity", "share": 0.1, "since": since, "users": 1_300}
    return ArmResult(**about, days=10, metrics=metrics, median_return=(1.0, None), says="holdback: fewer.")


def test_figures_are_in_the_words_of_their_units() -> None:
    assert arms_rows(Arms(arms=[arm()])) == [
        ("holdback", "rewards", "0.72", "0.8", "-10.0%", "-15.0% to -5.0%", "1,234"),
        ("holdback", "recall", "72.0%", "80.0%", "-8.0 points", "-12.0 to -4.0", "1,234"),
        ("holdback", "diversity", "0.720", "0.800", "-0.080", "-0.120 to -0.040", "1,234"),
        ("holdback", "half are back within", "1 day", "not yet", "", "", "1,300"),
    ]


def test_the_nights_since_an_arm_began_are_its_past(tmp_path: Path) -> None:
    store = Store(tmp_path)
    nights = {3: [arm("2026-02-01")], 2: [arm(difference=-0.04)], 1: None}
    for days, then in nights.items():
        record = {"status": "published"} | ({"arms": Arms(arms=then).json_ready()} if then else {})
        write_json(store.night(RUN_DATE - timedelta(days=days)).summary, record)
    night = store.night(RUN_DATE)
    assert arms_figures(night, None) == {}
    past = arms_figures(night, Arms(arms=[arm(), ArmResult(arm="new", policy="popularity", share=0.1)]))["past"]
    assert past.keys() == {"holdback"}
    assert [(one["run_date"], round(one["value"], 3)) for one in past["holdback"]] == [
        ("2026-03-29", -0.05), ("2026-03-31", -0.1)
    ]  # fmt: skip
