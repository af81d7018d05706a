"""The export: the contract as written, an audit that catches what breaks it, and a switch that readers never notice."""

import json
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.errors import ExportRefused
from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.persistence import save
from recmodels.popularity import Popularity
from recmodels.published.reader import Export, read_latest
from tasks.export.audit import audit, profile_of
from tasks.export.audit_items import check_columns, item_tables
from tasks.export.settings import ExportSettings
from tasks.export.stage import write_export
from tasks.features.settings import FeatureSettings
from tasks.store.exports import next_export_id
from tasks.store.files import read_json, sha256
from tasks.store.paths import Night
from tests.tasks.publishing import LOG, K, prepare_night, publish
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def lists(night: Night) -> dict[int, list[dict[str, Any]]]:
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in read_latest(night.store.root).to_pylist():
        rows.setdefault(row["user_id"], []).append(row)
    return rows


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


def similar(night: Night) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in Export.latest(night.store.root).table("similar").to_pylist():
        found.setdefault(row["item_id"], []).append((row["similar_item_id"], row["score"]))
    return found


def test_similar_items_are_the_models_own_best_on_offer_first(night: Night) -> None:
    """Cosines of the items' columns of users: i0 has {0, 1, 3, 4}, i1 {0, 1, 2, 4}, i2 {0, 2, 3, 4}, i5 {1}."""
    save(ItemKNN(weighting="cosine", popularity_power=0.5).fit(Dataset.load(night.features, "full")), night.champion)
    publish(night, similar=2)
    found = similar(night)
    assert found["i0"] == [("i1", 0.75), ("i2", 0.75)]
    assert found["i5"] == [("i0", 0.5), ("i1", 0.5)]  # not on offer, but what is like it may be asked for
    assert "i5" not in {shown for rows in found.values() for shown, _ in rows}
    rows = Export.latest(night.store.root).table("similar").to_pylist()
    assert {row["model"] for row in rows} == {"item_knn"} and {row["rank"] for row in rows} == {1, 2}


def test_a_champion_that_cannot_tell_which_items_are_alike_leaves_that_to_item_knn(night: Night) -> None:
    publish(night, similar=2)
    expected = similar(night)
    save(Popularity().fit(Dataset.load(night.features, "full")), night.champion)
    assert publish(night, similar=2, fresh=True)["export_id"] == f"{RUN_DATE}.2"
    assert similar(night) == expected


def test_a_site_may_do_without_similar_items(night: Night) -> None:
    manifest = publish(night, similar=0)
    assert list(manifest["schema"]) == ["topk", "popular"]
    assert not (night.store.export(manifest["export_id"]) / "similar").exists()


def test_popular_items_of_the_last_days(night: Night) -> None:
    """Interactions are 30 - user - item / 10 days old: user 4's are the latest, from 26 days (i0) to 25.3 (i7)."""
    publish(night, popular_days=[26])
    rows = [r for r in Export.latest(night.store.root).table("popular").to_pylist() if r["category"] is None]
    tops = {name: [(r["item_id"], r["score"]) for r in rows if r["window"] == name] for name in ("all", "26d")}
    assert tops == {"all": [("i0", 4), ("i1", 4), ("i2", 4)], "26d": [("i0", 1), ("i1", 1), ("i2", 1)]}
    assert [row["window"] for row in rows] == ["all"] * 3 + ["26d"] * 3


def test_popular_is_overall_and_by_category_without_what_is_not_available(night: Night) -> None:
    publish(night)
    rows = Export.latest(night.store.root).table("popular").to_pylist()
    tops = {name: [row["item_id"] for row in rows if row["category"] == name] for name in (None, "x", "y")}
    assert tops == {None: ["i0", "i1", "i2"], "x": ["i0", "i2", "i4"], "y": ["i1", "i3"]}
    assert [row["rank"] for row in rows] == [1, 2, 3, 1, 2, 3, 1, 2]


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
    assert not publish(night)["skipped"]
    assert publish(night)["skipped"]
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
    (killed / "topk").mkdir(parents=True)
    night.store.sweep()
    assert not killed.exists()
    assert night.store.export(str(RUN_DATE)).is_dir()


def written(night: Night) -> Path:
    out = night.folder / "out"
    out.mkdir()
    data = Dataset.load(night.features, "full")
    model = ItemKNN().fit(data)
    write_export(night, data, model, "item_knn", ExportSettings(k=K), FeatureSettings(), out)
    return out


def checked(night: Night, out: Path) -> dict[str, Any]:
    return profile_of(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


def rewrite(out: Path, change: Any, file: str = "topk/part-00000.parquet") -> None:
    table = pq.read_table(out / file)
    schema = pa.schema([field.with_nullable(True) for field in table.schema])
    pq.write_table(pa.Table.from_pandas(change(table.to_pandas()), schema, preserve_index=False), out / file)


@pytest.mark.parametrize(
    ("count", "change"),
    [
        ("users_listed", lambda f: f[f["user_id"] != 7]),
        ("rows", lambda f: f.iloc[:-1]),
        ("duplicate_items", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, f["item_id"][0]))),
        ("rank_gaps", lambda f: f.assign(rank=f["rank"].where(f.index != 1, 3))),
        ("scores_not_finite", lambda f: f.assign(score=f["score"].where(f.index != 2, np.nan))),
        ("scores_increasing", lambda f: f.assign(score=f["score"].where(f.index != 1, 99.0))),
        ("items_unknown", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, "?"))),
        ("users_unknown", lambda f: f.assign(user_id=f["user_id"].where(f["user_id"] != 7, 8))),
        ("items_unavailable", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, "i5"))),
        ("items_seen", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, "i1"))),
        ("reasons_not_seen", lambda f: f.assign(reason_item_id="i7")),
        ("reasons_not_seen", lambda f: f.assign(reason_item_id="?")),
    ],
)
def test_the_audit_counts_and_refuses_what_breaks_the_contract(night: Night, count: str, change: Any) -> None:
    out = written(night)
    before = checked(night, out)
    audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)
    rewrite(out, change)
    assert checked(night, out)[count] != before[count]
    with pytest.raises(ExportRefused):
        audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


def test_the_audit_does_not_depend_on_where_files_and_batches_end(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = written(night)
    whole = checked(night, out)
    path = out / "topk" / "part-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 7), path)
    pq.write_table(table.slice(7), path.with_name("part-00001.parquet"))
    for rows in (1, 2, 5, 1000):
        monkeypatch.setattr("tasks.export.audit_items.ROWS_AT_ONCE", rows)
        assert checked(night, out) == whole


SIMILAR = "similar/part-00000.parquet"


@pytest.mark.parametrize(
    ("count", "file", "change"),
    [
        ("similar_unknown", SIMILAR, lambda f: f.assign(item_id=f["item_id"].where(f["item_id"] != "i0", "?"))),
        ("similar_unavailable", SIMILAR, lambda f: f.assign(similar_item_id="i5")),
        ("similar_repeats", SIMILAR, lambda f: f.assign(similar_item_id=f["item_id"])),
        ("similar_ranks", SIMILAR, lambda f: f.assign(rank=f["rank"] + 1)),
        ("similar_ranks", SIMILAR, lambda f: f.assign(score=f["rank"].astype("float32"))),
        ("popular_unavailable", "popular/part-00000.parquet", lambda f: f.assign(item_id="i5")),
    ],
)
def test_the_audit_counts_and_refuses_what_is_wrong_with_the_tables_of_items(
    night: Night, count: str, file: str, change: Any
) -> None:
    out = written(night)
    assert not any(item_tables(out, night.features).values())
    rewrite(out, change, file)
    assert item_tables(out, night.features)[count] > 0
    with pytest.raises(ExportRefused):
        audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


@pytest.mark.parametrize("table", ["topk", "similar", "popular"])
def test_the_audit_refuses_columns_that_are_not_the_contracts(night: Night, table: str) -> None:
    out = written(night)
    path = out / table / "part-00000.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.append_column("more", pa.nulls(len(rows))), path)
    check_columns(out)  # columns may be added
    pq.write_table(rows.set_column(rows.schema.get_field_index("score"), "score", rows["score"].cast("double")), path)
    with pytest.raises(ExportRefused, match="the column score is double, the contract has float"):
        check_columns(out)
    pq.write_table(rows.drop_columns(["score", "rank"]), path)
    with pytest.raises(ExportRefused, match=r"the column rank is missing.*score is missing"):
        audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


def test_an_export_that_fails_its_audit_leaves_the_last_one(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(night)
    before = night.store.pointer.read_bytes()

    def refuse(*_: Any, **__: Any) -> None:
        raise ExportRefused("no")

    monkeypatch.setattr("tasks.export.stage.audit", refuse)
    with pytest.raises(ExportRefused):
        publish(night, k=2)
    assert night.store.pointer.read_bytes() == before
    assert sorted(path.name for path in night.store.exports.iterdir()) == [
        str(RUN_DATE),
        "latest",
        "latest.json",
        "manifests",
    ]
