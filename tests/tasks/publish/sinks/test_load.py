"""Sinks are loaded each by itself, in a night and by the command, and their failures are said."""

from pathlib import Path

import pytest

from flows.cli.tables import what_went_wrong
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import DeltaSettings, RedisSettings, SinkSettings, failures
from tasks.report.figures import news
from tasks.report.record import NightRecord
from tasks.store.files import read_json
from tasks.store.paths import Night
from tests.flows.running import nightrec
from tests.tasks.loading import FIRST, TABLES, published


def test_one_sink_that_fails_does_not_keep_the_others(night: Night, tmp_path: Path) -> None:
    pytest.importorskip("deltalake", reason="deltalake is not installed")
    settings = SinkSettings(delta=DeltaSettings(path=str(tmp_path / "lake")), redis=RedisSettings(url_env="NOWHERE"))
    outcome = load(night.store, settings, task=False)
    assert list(outcome) == ["delta", "redis"] and outcome["delta"]["export_id"] == str(FIRST)
    assert failures({"sinks": outcome}) == [
        "The sink redis was not loaded: The environment variable NOWHERE, which is to hold the address, is not set "
        "here. `nightrec sink` loads it again."
    ]


def test_a_failure_is_in_the_status_and_in_the_report() -> None:
    record = {
        "run_date": str(FIRST),
        "status": "published",
        "export_id": str(FIRST),
        "winner": "ease",
        "reason": "best",
    }
    record |= {"models": {"ease": {"ndcg": {"value": 0.5}}}, "sinks": {"delta": {}, "redis": {"failed": "It rained."}}}
    assert news(NightRecord.of(record), None)[-1] == "It rained."
    assert what_went_wrong([NightRecord.of(record)]) == [f"{FIRST}: It rained."]


@pytest.mark.slow
def test_the_command_loads_again_and_writes_it_down(night: Night, tmp_path: Path) -> None:
    pytest.importorskip("deltalake", reason="deltalake is not installed")
    assert nightrec("sink", cwd=tmp_path).code == 2
    record = night.store.night(FIRST).summary
    record.write_text('{"run_date": "2026-03-30", "sinks": {"delta": {"failed": "it rained"}}}')
    (tmp_path / "nightrec.toml").write_text('[sinks.delta]\npath = "lake"\n[sinks.redis]\nurl_env = "NOWHERE"\n')
    ran = nightrec("sink", "delta", cwd=tmp_path)
    rows = sum(len(published(night.store, table)) for table in TABLES)
    assert ran.code == 0 and ran.out == f"delta: {FIRST}, {rows:,} rows read back.\n", ran
    assert "failed" not in (read_json(record) or {})["sinks"]["delta"]
    ran = nightrec("sink", cwd=tmp_path)
    assert ran.code == 1 and "The sink redis was not loaded" in ran.err
    assert "failed" in (read_json(record) or {})["sinks"]["redis"]
    assert nightrec("sink", "oracle", cwd=tmp_path).code == 2
