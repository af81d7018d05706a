"""Old exports go; the current one, pinned ones and those that may still be being read stay."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recmodels.errors import ConfigError
from tasks.publish.retention import pin, pinned, retain, unpin
from tasks.publish.settings import RetentionSettings
from tasks.store.exports import next_export_id, rollback, whole_exports, write_export_manifest
from tasks.store.leftovers import sweep
from tasks.store.locking import held
from tasks.store.paths import Store
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

NOW = datetime.now(UTC)
SOON = NOW + timedelta(days=2)  # whatever was replaced in these tests is out of use by then
IDS = [str(RUN_DATE), *(f"{RUN_DATE}.{n}" for n in (2, 3, 4, 5))]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five exports, of which the last is the current one."""
    night = prepare_night(tmp_path_factory.mktemp("store"))
    for _ in IDS:
        publish(night, fresh=True)
    assert whole_exports(night.store) == IDS
    return night.store.root


@pytest.fixture
def store(tmp_path: Path, published: Path) -> Store:
    return Store(shutil.copytree(published, tmp_path / "store", symlinks=True))


def test_so_many_of_the_newest_are_kept(store: Store) -> None:
    assert retain(store, RetentionSettings(exports=2), SOON) == IDS[:3]
    assert whole_exports(store) == IDS[3:]
    assert sorted(path.name for path in store.exports.iterdir()) == [*IDS[3:], "latest", "latest.json", "manifests"]
    assert retain(store, RetentionSettings(exports=2), SOON) == []


def test_those_of_the_last_days_are_kept(store: Store) -> None:
    for export_id, days in zip(IDS, (40, 31, 29, 2, 1), strict=True):
        path = store.export_manifest(export_id)
        about = json.loads(path.read_text()) | {"created_at": (NOW - timedelta(days=days)).isoformat()}
        write_export_manifest(store, about)
    rules = RetentionSettings(exports=None, days=30, longest_read_hours=0)
    assert retain(store, rules, datetime.now(UTC)) == IDS[:2]


def test_without_rules_everything_is_kept(store: Store) -> None:
    assert retain(store, RetentionSettings(exports=None), NOW + timedelta(days=10_000)) == []


def test_what_was_replaced_a_moment_ago_may_still_be_being_read(store: Store) -> None:
    assert retain(store, RetentionSettings(exports=1), NOW + timedelta(hours=23)) == []
    assert retain(store, RetentionSettings(exports=1, longest_read_hours=12), NOW + timedelta(hours=23)) == IDS[:4]


def test_neither_the_current_export_nor_a_pinned_one_is_removed(store: Store) -> None:
    rollback(store, f"{RUN_DATE}.1")
    assert pin(store, IDS[1]) == IDS[1]
    assert retain(store, RetentionSettings(exports=1), SOON) == IDS[2:4]
    assert whole_exports(store) == [IDS[0], IDS[1], IDS[4]]
    assert unpin(store, IDS[1]) == [IDS[1]] and pinned(store) == []
    assert retain(store, RetentionSettings(exports=1), SOON) == [IDS[1]]


def test_a_night_names_its_newest_export(store: Store) -> None:
    assert pin(store, str(RUN_DATE)) == IDS[4]
    pin(store, IDS[1])
    assert unpin(store, str(RUN_DATE)) == [IDS[4], IDS[1]]
    with pytest.raises(ConfigError, match="No export 2026-03-31 is pinned; pinned are: none"):
        unpin(store, str(RUN_DATE))
    with pytest.raises(ConfigError, match="There is no export 2026-01-01"):
        pin(store, "2026-01-01")


def test_the_id_of_a_removed_export_is_not_used_again(store: Store) -> None:
    rollback(store, f"{RUN_DATE}.1")
    retain(store, RetentionSettings(exports=1), SOON)
    assert next_export_id(store, RUN_DATE) == f"{RUN_DATE}.6"


def test_a_removal_that_was_cut_short_leaves_nothing_to_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed)
        retain(store, RetentionSettings(exports=1), SOON)
    assert whole_exports(store) == IDS[1:]
    sweep(store)
    assert not store.export(IDS[0]).exists()


@pytest.mark.parametrize("damaged", ["exports/latest.json", "pins.json"])
def test_nothing_is_removed_while_it_cannot_be_told_what_is_to_be_kept(store: Store, damaged: str) -> None:
    pin(store, IDS[0])
    (store.root / damaged).write_text("{")
    assert retain(store, RetentionSettings(exports=1), SOON) == []
    assert whole_exports(store) == IDS


def test_a_lost_record_of_switches_takes_no_export_from_its_readers(store: Store) -> None:
    """What took its place was made just now, so somebody may still be reading it."""
    for export_id, hours in zip(IDS, (90, 80, 70, 60, 1), strict=True):
        about = json.loads(store.export_manifest(export_id).read_text())
        write_export_manifest(store, about | {"created_at": (NOW - timedelta(hours=hours)).isoformat()})
    (store.root / "published.jsonl").unlink()
    assert retain(store, RetentionSettings(exports=1), NOW) == IDS[:3]


def test_folders_of_people_are_neither_read_nor_removed(store: Store) -> None:
    for name in (f"{RUN_DATE}.bak", f"{RUN_DATE} copy", "2026-13-01", "0"):
        (store.exports / name).mkdir()
    store.export_manifest(f"{RUN_DATE}.old").write_text("{}")
    with held(store):
        retain(store, RetentionSettings(exports=1), SOON)
    assert whole_exports(store) == IDS[4:]
    assert (store.exports / f"{RUN_DATE}.bak").is_dir() and (store.exports / "0").is_dir()
    assert next_export_id(store, RUN_DATE) == f"{RUN_DATE}.6"
