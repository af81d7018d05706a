"""What a person is told of the log of a store, and what to switch on where there is none."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from flows.api import off_policy
from recmodels.errors import ConfigError, NightrecError
from tasks.offpolicy.asked import asked
from tasks.offpolicy.values import OffPolicySummary
from tasks.store.feedback import PROPOSALS, SHOWN
from tasks.store.paths import Night
from tests.tasks.drawing import MODELS, drawn_site
from tests.tasks.site import RUN_DATE


def ask(night: Night, models: list[str] | None = None) -> OffPolicySummary:
    return asked(night.store.root, _midnight, models, 28)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.slow
def test_the_newest_night_is_asked_of_all_models_or_of_some(tmp_path: Path) -> None:
    night = drawn_site(tmp_path, users=40)
    assert [one.name for one in off_policy(tmp_path).values] == ["ease", *sorted(MODELS), "usual", "logged", "uniform"]
    assert [one.name for one in ask(night, ["good"]).values] == ["good", "usual", "logged", "uniform"]
    with pytest.raises(ConfigError, match=r"has no model nobody; it has ease, bad, good, same\."):
        ask(night, ["nobody"])


def test_who_has_no_log_is_told_what_to_switch_on(tmp_path: Path) -> None:
    night = drawn_site(tmp_path, users=40)
    days = [night.store.feedback(RUN_DATE - timedelta(days=back)) for back in (2, 1, 0)]
    (days[2] / SHOWN).unlink()
    shutil.move(days[1] / SHOWN, tmp_path / "shown")
    with pytest.raises(NightrecError, match=r"nothing that was shown is logged .* Give the nights your"):
        ask(night)
    shutil.copy(tmp_path / "shown", days[1] / SHOWN)
    shutil.copy(days[1] / PROPOSALS, days[0] / PROPOSALS)  # of another export: that of the log is not there
    with pytest.raises(NightrecError, match="of the places that were drawn none is among what was shown"):
        ask(night)
    for day in days[:2]:
        (day / PROPOSALS).unlink()
    with pytest.raises(NightrecError, match=r"no place of a list was drawn .* Set exploration\.epsilon"):
        ask(night)
    shutil.rmtree(night.prepared)
    with pytest.raises(NightrecError, match="`nightrec run`"):
        ask(night)
