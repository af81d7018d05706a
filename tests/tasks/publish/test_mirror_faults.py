"""Copies whose place fails, and clocks that were wrong when a copy was made."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recmodels.published.reader import Export
from tasks.errors import DiskRefused
from tasks.publish import mirror as module
from tasks.publish.mirror import CopyFailed, mirror
from tasks.store import exports
from tasks.store.disk import in_words
from tasks.store.paths import Store
from tests.tasks.publishing import prepare_night, publish


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    night = prepare_night(tmp_path_factory.mktemp("store"))
    publish(night)
    return night.store


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("When writing key 'a?secret': AWS Error SLOW_DOWN (HTTP status 503) during PutObject"), "SLOW_DOWN"),
        (TimeoutError(110, "Connection timed out"), "Connection timed out"),
        (ValueError("token=secret"), "ValueError"),
    ],
)
def test_a_place_that_fails_is_told_in_a_sentence_without_what_may_be_secret(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "send", refuse)
    with pytest.raises(CopyFailed) as told, in_words(store):
        mirror.fn(store, f"file://{tmp_path}")
    text = str(told.value)
    assert reason in text and "secret" not in text and "run `nightrec mirror`" in text and len(text) <= 400
    assert isinstance(told.value, OSError)  # so that it is tried again, three times in all


def test_what_the_stores_own_disk_refuses_is_no_fault_of_the_place(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error", str(store.export("x")))

    monkeypatch.setattr(module, "send", refuse)
    with pytest.raises(DiskRefused, match="does not answer"), in_words(store):
        mirror.fn(store, f"file://{tmp_path}")


@pytest.mark.parametrize(("published_at", "stays"), [("2998-01-01T00:00:00+00:00", False), (None, True)])
def test_a_pointer_that_was_moved_later_stays_unless_it_is_of_a_time_to_come(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published_at: str | None, stays: bool
) -> None:
    mirror.fn(store, f"file://{tmp_path}")
    pointer = tmp_path / "exports" / "latest.json"
    later = json.loads(pointer.read_text()) | {"published_at": published_at or module._soon()[:-6] + "+00:00"}
    monkeypatch.setattr(module, "CLOCKS_DIFFER", module.CLOCKS_DIFFER * 2)
    pointer.write_text(json.dumps(later))
    mirror.fn(store, f"file://{tmp_path}")
    assert (pointer.read_text() == json.dumps(later)) is stays


@pytest.mark.slow
def test_a_copy_follows_a_rollback_though_its_export_was_published_by_a_clock_that_ran_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = prepare_night(tmp_path / "store")
    first = publish(night)["export_id"]
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    with monkeypatch.context() as patch:
        patch.setattr(exports, "now_text", lambda: ahead)
        publish(night, k=2)
    mirror.fn(night.store, f"file://{tmp_path / 'copy'}")
    assert exports.rollback(night.store)[1] == first
    mirror.fn(night.store, f"file://{tmp_path / 'copy'}")
    assert Export.latest(tmp_path / "copy").manifest["export_id"] == first
