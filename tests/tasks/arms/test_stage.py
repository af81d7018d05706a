"""The stage compares the arms of a night, and no night is lost by it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recmodels.experiments.assignment import arms_of
from tasks.arms.inputs import ArmsInputs
from tasks.arms.settings import ArmsSettings
from tasks.arms.stage import arms, arms_of_night, compare_arms
from tasks.exposures.settings import FeedbackSettings
from tasks.features.settings import FeatureSettings
from tasks.store.feedback import USED
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import SETTINGS, at, publish, show, write_log, write_users
from tests.tasks.site import CUTOFF, RUN_DATE

N = 300
FROM: Any = {"output": "made from"}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A site whose users of the holdback come half as often since their lists are what is popular."""
    night = Store(tmp_path).night(RUN_DATE)
    users = list(range(1, N + 1))
    write_users(night, users)
    draw = np.random.default_rng(0)
    holdback = arms_of(users, SETTINGS.shares, SETTINGS.salt) == "holdback"
    days = [draw.uniform(0, 50, draw.poisson(10)) for _ in users]
    rows = [
        (user, "abcdef"[draw.integers(6)], float(day))
        for user, its, held in zip(users, days, holdback, strict=True)
        for day in its
        if day > 25 or not held or draw.random() < 0.5
    ]
    write_log(night, rows)
    publish(night, 25)
    publish(night, 0.8, {user: ["a", "b"] for user in users})
    return night


def run(night: Night, settings: ArmsSettings = SETTINGS, **more: Any) -> Any:
    return arms.fn(inputs(night, settings, **more))


def inputs(night: Night, settings: ArmsSettings, **more: Any) -> ArmsInputs:
    given = {"feedback": FeedbackSettings(), "cutoff": CUTOFF, "prepared": FROM, "valid": FROM}
    return ArmsInputs(night, settings, FeatureSettings(), **{**given, **more})


def test_a_night_says_what_its_arms_did(night: Night) -> None:
    manifest = run(night)
    found = arms_of_night(night)
    assert found is not None
    (holdback,) = found.arms
    assert manifest["summary"]["message"] == holdback.says
    assert "fewer interactions than main" in holdback.says and holdback.says.endswith("so main's lists help.")
    assert (holdback.since, round(holdback.days, 1)) == (at(25).isoformat(), 25)
    assert holdback.metrics[0].relative is not None and holdback.metrics[0].relative[0] == pytest.approx(-0.5, abs=0.1)
    assert (night.store.feedback(RUN_DATE) / USED).exists()


@pytest.mark.slow
def test_it_is_skipped_until_something_is_new_or_gone(night: Night) -> None:
    assert [run(night)["skipped"] for _ in range(2)] == [False, True]
    (night.store.feedback(RUN_DATE) / USED).unlink()
    assert not run(night)["skipped"]
    show(night, 5, [(1, 1.0, "ease")])
    assert not run(night)["skipped"]
    assert not run(night, ArmsSettings.model_validate({"salt": "2", **SETTINGS.model_dump(include={"groups"})}))[
        "skipped"
    ]
    found = arms_of_night(night)
    assert found is not None and [one.says for one in found.arms] == ["holdback: its lists are yet to be published."]


def test_of_what_is_kept_no_longer_nothing_is_said(night: Night) -> None:
    run(night, feedback=FeedbackSettings(keep_days=10))
    found = arms_of_night(night)
    assert found is not None and (found.arms[0].since, found.arms[0].days) == (at(25).isoformat(), 10)


@pytest.mark.slow
def test_a_damaged_file_of_a_past_night_costs_the_comparison_and_not_the_night(night: Night) -> None:
    run(night)
    show(night, 5, [(1, 1.0, "ease")] * 50_000)
    path = night.store.feedback(at(5).date()) / "shown.parquet"
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    assert run(night) is None
    assert arms_of_night(night) is None


def test_a_site_without_arms_pays_nothing_and_keeps_nothing_of_an_earlier_run(night: Night) -> None:
    run(night)
    assert compare_arms(inputs(night, ArmsSettings())) is None
    assert not night.arms.exists()
