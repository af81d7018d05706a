"""The record of a night is read back as it was written, by this version or the one before."""

from pathlib import Path

import pytest

from recmodels.errors import NightrecError
from tasks.report.record import NightRecord, NightStatus
from tasks.report.stage import recorded
from tasks.store.files import read_json, write_json
from tasks.store.paths import Night, Store
from tests.tasks.site import RUN_DATE

BEFORE = {
    "run_date": "2026-03-31",
    "status": "published",
    "winner": "ease",
    "models": {"ease": {"ndcg": {"value": 0.25, "low": 0.2, "high": 0.3}, "coverage": {"value": 0.5}}},
    "windows": {
        "ease": {
            "days": 7,
            "each": [
                {"start": "2026-03-24", "users": 40, "ndcg": 0.25},
                {"start": "2026-03-17", "users": 3, "failed": "no"},
            ],
            "measured": 1,
            "mean": 0.25,
            "spread": None,
        }
    },
    "gate": {"winner": "ease", "reason": "best", "verdict": "first", "refused": None, "champion": None},
    "stages": [{"stage": "ingest", "event": "done", "told": "5 interactions", "seconds": 1.5}],
    "sinks": {"redis": {"failed": "It rained."}, "delta": {"export_id": "2026-03-31", "tables": {}}},
}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def test_a_record_of_the_version_before_is_read() -> None:
    record = NightRecord.of(BEFORE)
    assert record.status is NightStatus.PUBLISHED
    assert record.stages[0].message == "5 interactions"
    assert record.backtests["ease"].clause == "0.2500 over 1 of 2 holdouts"
    assert record.backtests["ease"].each[1].failed == "no"
    assert record.models["ease"]["coverage"].low is None
    assert record.sink_failures == ["It rained."]


def test_a_record_is_written_with_what_is_known_and_read_back(night: Night) -> None:
    assert NightRecord.of_night(night) is None
    record = NightRecord.of(BEFORE)
    write_json(night.summary, record.json_ready())
    written = read_json(night.summary) or {}
    assert set(written) == {*BEFORE, "backtests"} - {"windows"}
    assert written["models"] == BEFORE["models"]
    assert NightRecord.of_night(night) == record


def test_a_record_that_cannot_be_read_is_named_and_costs_no_night(night: Night) -> None:
    write_json(night.summary, {"status": "on fire"})
    with pytest.raises(NightrecError, match=r"night\.json cannot be read: status"):
        NightRecord.of_night(night)
    with recorded(night) as record:
        record.export_id, record.winner, record.reason = "x", "ease", "best"
    found = NightRecord.of_night(night)
    assert found is not None and found.status is NightStatus.PUBLISHED
