"""The stage leaves values where something was drawn and seen, nothing where not, and costs no night."""

from datetime import timedelta
from pathlib import Path

import pytest

from tasks.exposures.settings import FeedbackSettings
from tasks.offpolicy import stage
from tasks.offpolicy.evaluation import Champion
from tasks.offpolicy.values import OffPolicySummary
from tasks.store.feedback import PROPOSALS, SHOWN
from tasks.store.paths import Night
from tests.tasks.drawing import drawn_site
from tests.tasks.site import CUTOFF, RUN_DATE

EASE = Champion("ease", "ease")


@pytest.fixture(autouse=True)
def without_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "offpolicy", stage.offpolicy.fn)


def run(night: Night) -> OffPolicySummary | None:
    return stage.offpolicy_of(night, FeedbackSettings(), CUTOFF, ["ease", "good"], EASE)


@pytest.mark.slow
def test_values_are_made_once_and_again_when_the_log_has_changed(tmp_path: Path) -> None:
    night = drawn_site(tmp_path, users=40)
    found = run(night)
    assert found is not None and found.of_model("good") is not None
    made = (night.offpolicy / "manifest.json").stat().st_mtime_ns
    assert run(night) == found
    assert made == (night.offpolicy / "manifest.json").stat().st_mtime_ns
    (night.store.feedback(RUN_DATE) / SHOWN).unlink()
    fewer = run(night)
    assert fewer is not None and fewer.events == 40


def test_a_log_that_cannot_be_read_costs_the_values_and_not_the_night(tmp_path: Path) -> None:
    night = drawn_site(tmp_path, users=40)
    path = night.store.feedback(RUN_DATE) / SHOWN
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(300) + content[304:])
    assert run(night) is None and not night.offpolicy.exists()


def test_a_site_that_draws_nothing_pays_nothing_and_keeps_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    night = drawn_site(tmp_path, users=40)
    assert run(night) is not None
    for back in (2, 1):
        (night.store.feedback(RUN_DATE - timedelta(days=back)) / PROPOSALS).unlink()
    assert run(night) is None and not night.offpolicy.exists()
