"""Metrics of the nights, from records and a manifest that are written by hand, as Prometheus' own parser reads them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.report.metrics import METRICS, metrics_left, metrics_text, write_metrics
from tasks.store.exports import point_to
from tasks.store.files import write_json
from tasks.store.paths import Store
from tests.tasks.exported import with_manifest

BALANCE = dict.fromkeys(
    ("files", "skipped", "ignored", "after_cutoff", "blank", "inside", "header", "more", "superseded"), 0
)
PUBLISHED = {
    "status": "published",
    "exit_code": 0,
    "started_at": "2026-03-31T01:00:00+00:00",
    "seconds": 90.5,
    "peak_bytes": 1000,
    "winner": "als",
    "models": {"als": {"ndcg": {"value": 0.3, "low": 0.2, "high": 0.4}}, "popularity": {"ndcg": {"value": 0.1}}},
    "failed": {"ease": "it ran out of memory"},
    "gate": {"winner": "als", "reason": "best", "verdict": "promoted", "warnings": ["Look."]},
    "interactions": 98,
    "quarantined": 3,
    "data": {"interactions": BALANCE | {"lines": 200, "used": 198, "refused": 1, "rejects": 1, "misfits": {}}},
    "stages": [
        {"stage": "ingest", "event": "done", "message": "", "seconds": 2.0},
        {"stage": "prepare", "event": "skipped", "message": "", "seconds": 0.0},
    ],
    "sinks": {"redis": {"failed": "no connection"}},
}
FAILED = {
    "status": "failed",
    "exit_code": 3,
    "reason": "rows",
    "started_at": "2026-04-01T01:00:00+00:00",
    "seconds": 5.0,
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a night that published."""
    store = Store(tmp_path)
    (store.export("2026-03-31")).mkdir(parents=True)
    about = {"users": 5, "cold_users": 1, "rows": 15, "created_at": "2026-03-31T01:01:00+00:00"}
    point_to(store, with_manifest(store, "2026-03-31", **about, valid_until="2026-04-02T01:01:00+00:00"))
    write_json(store.night(date(2026, 3, 31)).summary, PUBLISHED)
    return store


def values(text: str) -> dict[str, dict[str, float]]:
    """Metric -> the labels besides the site, as text -> value."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, family.documentation) == ("gauge", METRICS[family.name])
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "site"}
            found.setdefault(family.name, {})[" ".join(labels.values())] = sample.value
    return found


def test_every_metric_is_there_with_its_value(store: Store) -> None:
    found = values(metrics_text(store, "shop", datetime(2026, 3, 31, 2, 1, tzinfo=UTC)))
    ended = datetime(2026, 3, 31, 1, 0, tzinfo=UTC).timestamp() + 90.5
    plain = {name: of[""] for name, of in found.items() if "" in of}
    del plain["nightrec_store_free_bytes"]
    assert plain == {
        "nightrec_last_success_timestamp_seconds": ended,
        "nightrec_last_run_timestamp_seconds": ended,
        "nightrec_last_run_exit_code": 0,
        "nightrec_export_created_timestamp_seconds": ended - 30.5,
        "nightrec_export_age_seconds": 3600,
        "nightrec_export_valid_until_timestamp_seconds": ended - 30.5 + 48 * 3600,
        "nightrec_export_users": 5,
        "nightrec_export_cold_users": 1,
        "nightrec_export_rows": 15,
        "nightrec_champion_ndcg": 0.3,
        "nightrec_champion_ndcg_low": 0.2,
        "nightrec_champion_ndcg_high": 0.4,
        "nightrec_night_warnings": 1,
        "nightrec_night_failed_models": 1,
        "nightrec_night_failed_sinks": 1,
        "nightrec_night_interactions": 98,
        "nightrec_night_quarantined_rows": 3,
        "nightrec_night_quarantine_ratio": 0.01,
        "nightrec_night_duration_seconds": 90.5,
        "nightrec_night_peak_memory_bytes": 1000,
    }
    assert found["nightrec_model_ndcg"] == {"als": 0.3, "popularity": 0.1}
    assert found["nightrec_champion_info"] == {"als": 1} and found["nightrec_stage_duration_seconds"] == {"ingest": 2}
    assert [name for name, value in found["nightrec_night_verdict"].items() if value] == ["promoted"]
    assert found.keys() == METRICS.keys()


def test_a_night_that_failed_leaves_what_readers_see_as_it_was(store: Store) -> None:
    write_json(store.night(date(2026, 4, 1)).summary, FAILED)
    found = values(metrics_text(store, "shop", None))
    assert found["nightrec_last_run_exit_code"] == {"": 3} and found["nightrec_last_run_status"]["failed"] == 1
    assert found["nightrec_champion_ndcg"] == {"": 0.3} and found["nightrec_export_users"] == {"": 5}
    published = datetime(2026, 3, 31, 1, 1, 30, 500_000, UTC).timestamp()
    assert found["nightrec_last_success_timestamp_seconds"] == {"": published}
    assert "nightrec_export_age_seconds" not in found  # it would stand still in a file


def test_a_later_run_of_a_published_night_is_the_last_one(store: Store) -> None:
    attempt = {"status": "failed", "exit_code": 2, "started_at": "2026-03-31T05:00:00+00:00", "seconds": 1.0}
    write_json(store.night(date(2026, 3, 31)).summary, PUBLISHED | {"attempts": [attempt]})
    assert values(metrics_text(store, "shop", None))["nightrec_last_run_exit_code"] == {"": 2}


def test_a_night_that_says_it_is_running_and_holds_no_store_was_killed(store: Store) -> None:
    write_json(store.night(date(2026, 4, 1)).summary, {"status": "running", "started_at": "2026-04-01T01:00:00+00:00"})
    assert values(metrics_text(store, "shop", None))["nightrec_last_run_status"]["interrupted"] == 1


def test_a_label_may_be_any_text(tmp_path: Path) -> None:
    text = metrics_text(Store(tmp_path), 'a "b"\\\n', None)
    (info, *_) = text_string_to_metric_families(text)
    assert info.samples[0].labels["site"] == 'a "b"\\\n'


def test_a_night_leaves_the_file_however_it_ends_and_whether_or_not_it_can(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def night(file: Path) -> Any:
        with metrics_left(store, "shop", file):
            raise ValueError("the night")

    for file in (store.root / "shop.prom", store.root / "nowhere" / "shop.prom"):
        with pytest.raises(ValueError, match="the night"):
            night(file)
    assert "nightrec_export_rows" in values((store.root / "shop.prom").read_text())
    assert "could not be written: No such file or directory" in caplog.text
    write_metrics(store, "shop", store.root / "shop.prom")
    assert [path.name for path in store.root.glob("*.prom*")] == ["shop.prom"]
