"""The record of a night is true to how it went, and stays true when the night is run again."""

from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.report.record import NightRecord
from tasks.report.stage import recorded
from tasks.store.events import log_event
from tasks.store.files import Json, read_json, write_json
from tasks.store.paths import Night, Store
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def summary(night: Night) -> Json:
    return read_json(night.summary) or {}


def test_a_night_is_running_and_then_published(night: Night) -> None:
    with recorded(night) as record:
        assert summary(night)["status"] == "running"
        log_event("ingest", "start")
        log_event("ingest", "done", "5 interactions", 1.5, cpu_seconds=2.5)
        record.export_id = "x"
    assert summary(night)["status"] == "published"
    (stage,) = summary(night)["stages"]
    told = {"stage": "ingest", "event": "done", "message": "5 interactions", "seconds": 1.5, "cpu_seconds": 2.5}
    assert {name: stage[name] for name in told} == told
    assert (0 <= stage["ended"] < 60, stage["peak_bytes"] > 2**20) == (True, True)


def test_a_night_that_fails_says_why(night: Night) -> None:
    with pytest.raises(DataRefused), recorded(night):
        raise DataRefused("The data are stale.")
    assert (summary(night)["status"], summary(night)["reason"]) == ("failed", "The data are stale.")
    with pytest.raises(KeyError), recorded(night):
        raise KeyError("bug")
    assert summary(night)["reason"] == "KeyError: 'bug'"


def test_a_night_with_nothing_to_do_keeps_its_record(night: Night) -> None:
    done = {"status": "published", "export_id": "x", "seconds": 98.0, "stages": []}
    write_json(night.summary, done)
    with recorded(night) as record:
        log_event("ingest", "skipped")
        record.export_id = "x"
    assert summary(night) == done
    assert record.stages[0].event == "skipped"
    with recorded(night) as record:
        log_event("ingest", "done")
        record.export_id = "x"
    assert summary(night)["seconds"] < 98


def test_a_failed_repeat_of_a_published_night_changes_nothing_of_its_record(night: Night) -> None:
    published = {"status": "published", "export_id": "x", "started_at": "2026-03-31T03:00:00+00:00", "seconds": 98.0}
    write_json(night.summary, published)
    with pytest.raises(DataRefused), recorded(night):
        beside = summary(night)
        assert (beside["status"], [one["status"] for one in beside["attempts"]]) == ("published", ["running"])
        raise DataRefused("There is no such model.")
    write_json(night.summary, summary(night) | {"attempts": [*summary(night)["attempts"], {"status": "running"}]})
    with pytest.raises(KeyboardInterrupt), recorded(night):
        raise KeyboardInterrupt
    found = summary(night)
    assert {name: found[name] for name in published} == published
    assert [(one["status"], one["reason"]) for one in found["attempts"]] == [
        ("failed", "There is no such model."),
        ("interrupted", "its process was killed, or its machine went down"),
        ("interrupted", "it was stopped by Ctrl-C"),
    ]
    record = NightRecord.of(found)
    assert [one.reason for one in record.later] == ["There is no such model.", "it was stopped by Ctrl-C"]


def test_the_runs_that_a_night_needed_stay_beside_the_one_that_published(night: Night) -> None:
    with pytest.raises(DataRefused), recorded(night):
        raise DataRefused("The data are stale.")
    with recorded(night) as record:
        record.export_id = "x"
    assert summary(night)["status"] == "published"
    assert [one["reason"] for one in summary(night)["attempts"]] == ["The data are stale."]
    assert NightRecord.of(summary(night)).later == []
