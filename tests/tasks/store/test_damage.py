"""Whatever becomes of a file of a store, the next night goes on: it heals it, does without it, or says a sentence."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import NightrecError
from tasks.compare.champion import last_export
from tasks.compare.decision import Incumbent
from tasks.compare.recent import recent_figures
from tasks.compare.stage import COMPARISON
from tasks.export.changed_lists import base_of
from tasks.publish.mirror import mirrors
from tasks.publish.retention import pin, retain
from tasks.publish.settings import RetentionSettings
from tasks.report.past import data_of_nights, nights_before
from tasks.store import history
from tasks.store.damage import is_damage
from tasks.store.exports import manifest_of, next_export_id, point_to, pointer_of, rollback
from tasks.store.files import Json, write_json
from tasks.store.locking import held, in_use
from tasks.store.manifests import describe, run_stage
from tasks.store.paths import Store
from tests.tasks.exported import with_manifest

NIGHTS = [date(2026, 3, day) for day in (29, 30, 31)]
TONIGHT = date(2026, 4, 1)
INCUMBENT = Incumbent(name="als", published_as="als", export_id="2026-03-31", recommender="als", params={})
FILES = {
    "pointer": "exports/latest.json",
    "manifest of the current export": "exports/manifests/2026-03-31.json",
    "manifest of an old export": "exports/manifests/2026-03-29.json",
    "pins": "pins.json",
    "switches": "published.jsonl",
    "sinks": "sinks.json",
    "mirrors": "mirrors.json",
    "lease": ".lease.json",
    "record": "nights/2026-03-30/night.json",
    "stage": "nights/2026-03-30/evaluation/manifest.json",
    "decision": "nights/2026-03-30/evaluation/decision.json",
    "history": "history/2026-03-30.parquet",
    "hash of the history": "history/2026-03-30.sha256",
}


def wrong_types(path: Path) -> None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        content = {"at": 1, "export_id": 2}
    path.write_text(json.dumps(dict.fromkeys(content, 7)))


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "somebody's").write_text("own")


DAMAGES: dict[str, Callable[[Path], object]] = {  # how each is read is tested with the reader, in test_files
    "an empty object": lambda path: path.write_text("{}"),
    "not UTF-8": lambda path: path.write_bytes(b'{"export_id": "\xff\xfe"}'),
    "wrong types": wrong_types,
    "a folder": as_folder,
    "gone": Path.unlink,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three nights with exports of one row, figures and records."""
    store = Store(tmp_path_factory.mktemp("sound") / "store")
    with held(store):
        for run_date in NIGHTS:
            publish(store, run_date)
    pin(store, str(NIGHTS[0]))
    for name in ("sinks.json", "mirrors.json"):
        write_json(
            store.root / name, {"redis": {"mark": "1", "loaded": {}}} if name == "sinks.json" else {"s3://a": "x"}
        )
    write_json(
        store.lease,
        {"token": "dead", "machine": "another", "host": "x", "pid": 1, "since": "then", "flow_run": "", "more": 1},
    )
    return store.root


def publish(store: Store, run_date: date) -> None:
    night, export_id = store.night(run_date), next_export_id(store, run_date)

    def build(out: Path) -> Json:
        row = {
            "run_date": run_date,
            "model": "als",
            "metric": "ndcg",
            "k": 10,
            "slice": "all",
            "users": 5,
            "value": 0.5,
        }
        pq.write_table(pa.Table.from_pylist([row], schema=COMPARISON), out / history.COMPARISON)
        write_json(out / "decision.json", {"winner": "als", "refused": None})
        return {"message": "als"}

    run_stage(night.evaluation, build, code="1", inputs={}, parameters={})
    history.keep(night)
    topk = store.export(export_id) / "topk"
    topk.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": [1], "rank": [1], "item_id": ["a"]}), topk / "part-00000.parquet")
    point_to(store, with_manifest(store, export_id, created_at="2026-03-31T04:00:00+00:00"))
    write_json(night.summary, {"status": "published", "export_id": export_id})


@pytest.fixture
def store(tmp_path: Path, sound: Path) -> Store:
    found = Store(shutil.copytree(sound, tmp_path / "store", symlinks=True))
    os.utime(found.lease, (1e9, 1e9))
    return found


def next_night(store: Store) -> None:
    """All that a night reads of nights before it, and then publishes, in the order in which it does."""
    in_use(store)
    with held(store):
        before = last_export(store, TONIGHT)
        assert before is not None and before["champion"] == "als"
        recent_figures(store, TONIGHT, INCUMBENT, 10, 7, "popularity_7d")
        base_of(store, TONIGHT)
        publish(store, TONIGHT)
        retain(store, RetentionSettings(exports=1, longest_read_hours=0))
        mirrors(store)
        nights_before(store.night(TONIGHT))
        data_of_nights(store.night(TONIGHT))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_of_the_store_stops_no_night_and_nothing_of_a_person_goes(
    store: Store, file: str, damage: str
) -> None:
    path = store.root / FILES[file]
    DAMAGES[damage](path)
    if path == store.lease and path.exists():
        os.utime(path, (1e9, 1e9))
    (store.exports / "2026-03-31.bak").mkdir()
    (store.root / "nights" / "backup").mkdir()
    next_night(store)
    shown = pointer_of(store)
    assert shown is not None and shown["export_id"] == str(TONIGHT)
    assert manifest_of(store, str(TONIGHT)) is not None
    assert (store.exports / "2026-03-31.bak").is_dir() and (store.root / "nights" / "backup").is_dir()
    if file in ("pins", "manifest of an old export") and damage not in ("gone", "an empty object"):
        assert store.export(str(NIGHTS[0])).is_dir()  # what may be pinned is not removed
    if damage == "a folder":
        assert [found.read_text() for found in store.root.rglob("somebody's")] == ["own"]


@pytest.mark.parametrize("damage", ["gone", "not UTF-8"])
def test_an_export_without_its_manifest_is_named_once_a_night(store: Store, damage: str, caplog: Any) -> None:
    DAMAGES[damage](store.export_manifest(str(NIGHTS[0])))
    with held(store):
        pass
    assert store.export(str(NIGHTS[0])).is_dir()
    named = [line for line in caplog.messages if "2026-03-29 has lost its manifest" in line]
    assert len(named) == (damage == "gone")


def test_a_file_that_may_not_be_read_is_made_again_or_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = {store.root / FILES[name] for name in ("pointer", "record", "manifest of an old export", "stage")}
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with held(store):
        closed.discard(store.pointer)  # it was replaced by one of this user's
    assert (pointer_of(store) or {}).get("export_id") == str(NIGHTS[-1])
    next_night(store)


def test_a_lost_pointer_goes_back_to_what_people_chose(store: Store) -> None:
    rollback(store)
    before = store.pointer.read_bytes()
    store.pointer.unlink()
    with held(store):
        assert store.pointer.read_bytes() == before
        manifest = manifest_of(store, str(NIGHTS[-1])) or {}
        point_to(store, manifest)
        assert store.pointer.read_bytes() == before  # withdrawn then, withdrawn now


def test_a_manifest_with_one_changed_byte_is_no_manifest(store: Store) -> None:
    path = store.export_manifest(str(NIGHTS[0]))
    path.write_text(path.read_text().replace('"als"', '"alt"'))
    assert manifest_of(store, str(NIGHTS[0])) is None
    with pytest.raises(NightrecError, match=r"2026-03-29.json is damaged: run the night 2026-03-29 again"):
        pin(store, "2026-03-29")


def test_an_export_that_lost_its_manifest_is_left_alone(store: Store) -> None:
    store.export_manifest(str(NIGHTS[-1])).unlink()
    store.export_manifest(str(NIGHTS[0])).unlink()
    with held(store):
        pass
    assert store.export(str(NIGHTS[-1])).is_dir() and store.export(str(NIGHTS[0])).is_dir()


def test_a_manifest_cannot_lead_out_of_its_folder(store: Store) -> None:
    path = store.export_manifest(str(NIGHTS[0]))
    about = json.loads(path.read_text())
    about.pop("seal")
    about["files"] = [describe(store.pointer, store.exports) | {"path": "../latest.json"}]
    write_json(path, about)
    assert manifest_of(store, str(NIGHTS[0])) is None


def test_errors_of_readers_say_damage_and_faults_of_our_own_do_not(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"no Parquet")
    for read in (lambda: pq.read_table(tmp_path / "part"), lambda: json.loads("{"), (tmp_path / "none").read_bytes):
        with pytest.raises(Exception) as raised:
            read()
        assert is_damage(raised.value), raised.value
    for fault in (TypeError("x"), AttributeError("x"), KeyError("x"), ValueError("x")):
        assert not is_damage(fault)
