"""A stage logs its beginning and its end, with the message of its summary."""

import logging
from pathlib import Path

import pytest

from tasks.store.files import Json
from tasks.store.stage import logged_stage


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    return [(record.label, record.event, record.text) for record in caplog.records]  # type: ignore[attr-defined]


def test_a_stage_logs_its_message_and_whether_it_was_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def build(out: Path) -> Json:
        return {"message": "3 rows"}

    with caplog.at_level(logging.INFO, "nightrec.events"):
        for _ in range(2):
            logged_stage("ingest", tmp_path / "raw", build, code="1", inputs={}, parameters={})
    assert events(caplog) == [
        ("ingest", "start", ""),
        ("ingest", "done", "3 rows"),
        ("ingest", "start", ""),
        ("ingest", "skipped", "3 rows"),
    ]
