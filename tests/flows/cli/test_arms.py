"""`nightrec arms` says what the arms did, and what they could show."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.arms import arms
from recmodels.errors import ConfigError
from tasks.arms import plan
from tasks.arms.plan import Past, Plan
from tasks.arms.results import Arms
from tasks.store.files import write_json
from tasks.store.manifests import run_stage
from tasks.store.paths import Store
from tests.tasks.report.test_arms import arm
from tests.tasks.site import RUN_DATE, events, write_valid_tables

PLAN = Plan("rewards", [Past(7, 5_000, 2.0, 1.6, 0.64), Past(28, 9_000, 2.0, 1.0, 0.25)], 0.8, 1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "plan_of", lambda *_, **__: PLAN)
    record = {"status": "published", "arms": Arms(arms=[arm()], corrected="For all looks.").json_ready()}
    write_json(Store(tmp_path).night(RUN_DATE).summary, record)
    return tmp_path


def output(store: Path, *arguments: str) -> str:
    found = CliRunner().invoke(arms, [*arguments, "--store", str(store)])
    if found.exception is not None:
        raise found.exception
    return found.output


def test_each_arm_is_a_sentence_and_a_table_of_figures(store: Path) -> None:
    text = output(store)
    assert text.startswith("holdback: fewer.\n")
    assert "-15.0% to -5.0%" in text and text.endswith("For all looks.\n")
    found = json.loads(output(store, "--json"))
    assert (found["run_date"], found["arms"][0]["says"]) == ("2026-03-31", "holdback: fewer.")


def test_arms_of_which_nothing_is_known_yet_have_no_table(store: Path) -> None:
    new = arm().model_copy(update={"metrics": [], "median_return": (None, None)})
    record = {"status": "published", "arms": Arms(arms=[new], corrected="For all looks.").json_ready()}
    write_json(Store(store).night(RUN_DATE).summary, record)
    assert output(store) == "holdback: fewer.\n"


def test_a_night_that_is_still_at_work_hides_no_comparison(store: Path) -> None:
    write_json(Store(store).night(RUN_DATE + timedelta(days=1)).summary, {"status": "running"})
    assert json.loads(output(store, "--json"))["run_date"] == str(RUN_DATE)
    with pytest.raises(ConfigError, match=f"The night {RUN_DATE + timedelta(days=1)} has no arms that were compared"):
        output(store, "--date", str(RUN_DATE + timedelta(days=1)))


def test_a_night_without_arms_says_how_to_have_some(store: Path) -> None:
    write_json(Store(store).night(RUN_DATE).summary, {"status": "published"})
    with pytest.raises(ConfigError, match=r"has no arms that were compared: docs/feedback.md says how"):
        output(store)
    with pytest.raises(ConfigError, match=r"--effect is for a plan: write nightrec arms plan --effect 0\.03"):
        output(store, "--effect", "0.03")


@pytest.mark.slow
def test_a_plan_is_by_the_newest_night_that_has_tables(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = Store(store).night(RUN_DATE)
    run_stage(night.prepared, lambda out: {"message": ""}, code="", inputs={}, parameters={})
    write_valid_tables(night.valid, interactions=events([]))
    write_json(Store(store).night(RUN_DATE + timedelta(days=1)).summary, {"status": "running"})
    asked = []
    monkeypatch.setattr(plan, "plan_of", lambda night, **_: asked.append(night.run_date) or PLAN)
    output(store, "plan")
    output(store, "plan", "--date", str(RUN_DATE + timedelta(days=1)))
    assert asked == [RUN_DATE, RUN_DATE + timedelta(days=1)]


def test_a_plan_has_a_row_for_each_share(store: Path) -> None:
    text = output(store, "plan", "--effect", "0.02")
    assert text.startswith("9,000 users had 2 rewards a week each in the last 28 days, with a standard deviation of 2;")
    assert "explains 75% of the differences between them (CUPED)." in text
    assert "50%" in text and "2% after" in text and "not within a year" in text
    assert "Found with a probability of 80%" in text
    (row,) = json.loads(output(store, "plan", "--share", "0.2", "--effect", "0.05", "--json"))["shares"]
    assert row["days"] == PLAN.days(0.05, 0.2) and row["smallest"][1]["effect"] == PLAN.smallest(PLAN.past[1], 0.2)
