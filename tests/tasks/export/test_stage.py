"""The export: the contract as written, an audit that catches what breaks it, and a switch that readers never notice."""

import json
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.errors import ExportRefused
from recmodels.errors import NightrecError
from recmodels.published.reader import Export
from tasks.store.exports import next_export_id
from tasks.store.files import read_json, sha256
from tasks.store.leftovers import publishing, sweep
from tasks.store.manifests import describe
from tasks.store.paths import Night
from tests.tasks.publishing import LOG, lists, prepare_night, publish
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def test_columns_and_types_are_those_of_the_contract(night: Night) -> None:
    publish(night)
    schema = pq.read_schema(night.store.export(str(RUN_DATE)) / "topk" / "part-00000.parquet")
    coded = pa.dictionary(pa.int8(), pa.string())
    assert {field.name: field.type for field in schema} == {
        "run_date": pa.date32(),
        "user_id": pa.int64(),
        "rank": pa.int16(),
        "item_id": pa.string(),
        "score": pa.float32(),
        "model": coded,
        "source": coded,
        "reason_item_id": pa.string(),
        "arm": coded,
        "policy": coded,
        "propensity": pa.float32(),
    }


def test_every_known_user_has_k_new_available_items_or_all_there_are(night: Night) -> None:
    manifest = publish(night)
    found = lists(night)
    assert sorted(found) == [0, 1, 2, 3, 7]  # 4 has everything, 8 has opted out
    seen = {(user, item) for user, item, _ in LOG}
    for user, rows in found.items():
        items = [row["item_id"] for row in rows]
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert len(set(items)) == len(items)
        assert not {(user, item) for item in items} & seen
        assert "i5" not in items
        assert all(first["score"] >= second["score"] for first, second in pairwise(rows))
    assert {user: len(rows) for user, rows in found.items()} == {0: 3, 1: 3, 2: 3, 3: 3, 7: 3}
    assert manifest["rows"] == sum(map(len, found.values()))


def test_lists_without_history_are_cold_and_reasons_are_the_users_own(night: Night) -> None:
    manifest = publish(night)
    found = lists(night)
    assert {row["source"] for row in found[7]} == {"cold"}
    assert [row["item_id"] for row in found[7]] == ["i0", "i1", "i2"]  # the most popular; ties by id
    assert all(row["reason_item_id"] is None for row in found[7])
    assert manifest["cold_users"] == 1
    own = {user: {item for who, item, _ in LOG if who == user} for user in found}
    personal = [row for rows in found.values() for row in rows if row["source"] == "personal"]
    assert personal
    assert all(row["reason_item_id"] in own[row["user_id"]] for row in personal)


def test_repeats_may_be_allowed(night: Night) -> None:
    publish(night, k=8, repeats=True)
    assert {len(rows) for rows in lists(night).values()} == {7}


def test_the_manifest_describes_the_files_and_the_pointer_the_manifest(night: Night) -> None:
    manifest = publish(night)
    exports = night.store.exports
    for file in manifest["files"]:
        path = exports / manifest["export_id"] / file["path"]
        assert (file["sha256"], file["bytes"]) == (sha256(path), path.stat().st_size)
        assert file["rows"] == pq.read_metadata(path).num_rows
    topk = next(file for file in manifest["files"] if file["path"].startswith("topk"))
    assert (topk["min_user"], topk["max_user"]) == (0, 7)
    pointer = json.loads(night.store.pointer.read_text())
    assert pointer["export_id"] == str(RUN_DATE)
    assert pointer["manifest_sha256"] == sha256(exports / pointer["manifest"])
    assert night.store.link.resolve() == (exports / str(RUN_DATE)).resolve()
    assert {path.suffix for path in (exports / str(RUN_DATE)).rglob("*") if path.is_file()} == {".parquet"}


def test_the_same_export_is_published_once_and_another_gets_its_own_id(night: Night) -> None:
    assert not publish(night, docs=True)["skipped"]
    page = night.store.quality(RUN_DATE) / "exports-table.html"
    before = page.read_bytes()
    page.unlink()  # as where the validation was done again, which has pages of its own alone
    assert publish(night, docs=True)["skipped"]
    assert page.read_bytes() == before
    second = publish(night, k=2)
    assert second["export_id"] == f"{RUN_DATE}.2"
    assert publish(night, k=2, fresh=True)["export_id"] == f"{RUN_DATE}.3"
    assert (read_json(night.store.pointer) or {})["export_id"] == f"{RUN_DATE}.3"
    assert (night.store.export(str(RUN_DATE)) / "topk").is_dir()  # what was published never changes


def test_an_id_beyond_ten_follows_nine(night: Night) -> None:
    for number in ("", ".2", ".9", ".10"):
        night.store.export(f"{RUN_DATE}{number}").mkdir(parents=True)
    assert next_export_id(night.store, RUN_DATE) == f"{RUN_DATE}.11"


def test_an_older_night_is_published_but_readers_stay_with_the_later_one(tmp_path: Path, night: Night) -> None:
    publish(night)
    older = prepare_night(tmp_path, date(2026, 3, 30))
    assert publish(older)["export_id"] == "2026-03-30"
    assert (read_json(night.store.pointer) or {})["export_id"] == str(RUN_DATE)
    assert Export.of_night(tmp_path, date(2026, 3, 30)).table().num_rows


def test_a_folder_without_a_manifest_is_swept_and_never_read(night: Night) -> None:
    publish(night)
    killed = night.store.export(f"{RUN_DATE}.2")
    with publishing(night.store, killed.name):
        (killed / "topk").mkdir(parents=True)
    sweep(night.store)
    assert not killed.exists()
    assert night.store.export(str(RUN_DATE)).is_dir()


def test_a_damaged_export_is_published_anew_when_its_night_is_run_again(night: Night) -> None:
    publish(night)
    part = night.store.export(str(RUN_DATE)) / "topk" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    again = publish(night)
    assert (again["export_id"], again["skipped"]) == (f"{RUN_DATE}.2", False)
    assert (read_json(night.store.pointer) or {})["export_id"] == f"{RUN_DATE}.2"
    assert publish(night)["skipped"]


def test_no_lists_are_made_of_a_model_with_one_changed_bit(night: Night) -> None:
    champion = {"files": [describe(path, night.champion) for path in sorted(night.champion.glob("model.*"))]}
    publish(night, champion=champion)
    model = night.champion / "model.safetensors"
    content = bytearray(model.read_bytes())
    content[-3] ^= 1
    model.write_bytes(content)
    with pytest.raises(NightrecError, match=r"model\.safetensors is not what was written .* Run the night again"):
        publish(night, fresh=True, champion=champion)
    assert (read_json(night.store.pointer) or {})["export_id"] == str(RUN_DATE)
    assert not list(night.store.exports.glob(".*"))


def test_an_export_that_fails_its_audit_leaves_the_last_one(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(night)
    before = night.store.pointer.read_bytes()

    def refuse(*_: Any, **__: Any) -> None:
        raise ExportRefused("no")

    monkeypatch.setattr("tasks.export.stage.judged", refuse)
    with pytest.raises(ExportRefused):
        publish(night, k=2)
    assert night.store.pointer.read_bytes() == before
    assert sorted(path.name for path in night.store.exports.iterdir()) == [
        str(RUN_DATE),
        "latest",
        "latest.json",
        "manifests",
    ]
