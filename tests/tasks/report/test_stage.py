"""The record of a night is true to how it went, and stays true when the night is run again."""

from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.evaluate.summary import Figure
from tasks.report.artifacts import interval, markdown
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
        log_event("ingest", "done", "5 interactions", 1.5)
        record.update(export_id="x")
    assert summary(night)["status"] == "published"
    (stage,) = summary(night)["stages"]
    told = {"stage": "ingest", "event": "done", "message": "5 interactions", "seconds": 1.5}
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
        record.update(export_id="x")
    assert summary(night) == done
    assert record["stages"][0]["event"] == "skipped"
    with recorded(night) as record:
        log_event("ingest", "done")
        record.update(export_id="x")
    assert summary(night)["seconds"] < 98


def test_the_summary_names_the_winner_its_interval_and_what_was_left_out(night: Night) -> None:
    ndcg = {"value": 0.25, "low": 0.2, "high": 0.3}
    record = {
        "winner": "ease",
        "export_id": "2026-03-31.2",
        "reason": "the highest NDCG@10 of 2 models",
        "k": 10,
        "models": {"ease": {"ndcg": ndcg}},
        "failed": {"content": "no terms"},
        "measured_on": "the last 7 days",
        "interactions": 12345,
        "quarantined": 6,
        "rows": 100,
        "users": 10,
        "cold_users": 1,
    }
    text = markdown(night, NightRecord.of(record))
    for part in (
        "**ease**",
        "`2026-03-31.2`",
        "0.2500 [0.2000, 0.3000]",
        "12,345 read, 6 quarantined",
        "content: no terms",
    ):
        assert part in text
    assert interval(Figure(value=0.5)) == "0.5000"
