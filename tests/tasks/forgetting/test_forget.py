"""A forgotten user is nowhere in the store, everybody else's lists are as they were; hashed ids name nobody."""

import hashlib
import hmac
import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.published.pseudonyms import hashed
from recmodels.published.reader import Export, read_latest
from tasks.export.audit import audit
from tasks.forgetting.forget import forget
from tasks.forgetting.nights import _models_of, forget_in_nights
from tasks.forgetting.person import Person
from tasks.forgetting.receipt import Place, Receipt
from tasks.forgetting.request import begin
from tasks.forgetting.tables import Whose, rewrite
from tasks.forgetting.texts import redact
from tasks.ingest.reading import ids
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.vectors import write_vectors
from tasks.publish.retention import retain
from tasks.publish.settings import RetentionSettings
from tasks.store.exports import intact, put_in_place, whole_exports
from tasks.store.files import read_json, sha256, write_json
from tasks.store.locking import held
from tasks.store.manifests import describe, run_stage
from tasks.store.paths import Night, Store
from tasks.store.vector_tables import dimension_of
from tests.flows.running import nightrec
from tests.tasks.publishing import K, prepare_night, publish
from tests.tasks.site import RUN_DATE

FIRST = date(2026, 3, 30)
KEY, VARIABLE = "sixteen bytes of a secret", "NIGHTREC_TEST_KEY"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights that are published, each with a manifest of its valid tables as the stage writes it."""
    root = tmp_path_factory.mktemp("store")
    for run_date in (FIRST, RUN_DATE):
        night = prepare_night(root, run_date)
        files = [describe(path, night.valid) for path in sorted(night.valid.glob("*.parquet"))]
        write_json(night.valid / "manifest.json", {"files": files, "output": "as it was", "fingerprint": "the same"})
        publish(night, k=2 if run_date == FIRST else K)
    return root


@pytest.fixture
def night(tmp_path: Path, published: Path) -> Night:
    """The second of the two nights."""
    return Store(shutil.copytree(published, tmp_path / "store", symlinks=True)).night(RUN_DATE)


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests' nights left in Prefect's home may name the users of this one."""
    places = (tmp_path / "prefect", None, None)
    monkeypatch.setattr("flows.operate.database.prefect_places", lambda: places)


def lists(store: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_latest(store).to_pylist()
    return rows


def place(receipt: Receipt, name: str) -> Place:
    return next(one for one in receipt.places if one.name == name)


def tables(root: Path) -> dict[Path, pa.Table]:
    return {path: pq.read_table(path) for path in root.rglob("*.parquet") if not path.is_symlink()}


def test_a_forgotten_user_is_in_no_table_and_the_others_are_as_before(night: Night) -> None:
    store = night.store
    before, index = lists(store.root), {"users": 5, "rows": 15}
    receipt = forget(store, "1")
    assert receipt.complete
    for name in ("exports", "nights"):
        assert place(receipt, name).removed == [str(FIRST), str(RUN_DATE)]
    assert lists(store.root) == [row for row in before if row["user_id"] != 1]
    for path, table in tables(store.root).items():
        assert "user_id" not in table.column_names or 1 not in table["user_id"].to_pylist(), path
        if "user_index" in table.column_names and path.name != "users.parquet":
            assert 1 not in table["user_index"].to_pylist(), path
    assert not night.champion.exists()
    about = Export.latest(store.root).manifest
    assert (about["users"], about["rows"], about["forgotten"]) == (index["users"] - 1, index["rows"] - 3, 1)
    assert about["cold_users"] == 1


def test_what_is_left_passes_every_check(night: Night) -> None:
    store = night.store
    forget(store, "7")  # the last user, and the only cold one
    for name in (str(FIRST), str(RUN_DATE)):
        about = read_json(store.export_manifest(name)) or {}
        intact(store, about)
        features = store.night(date.fromisoformat(name)).features
        profile = audit(store.export(name), features, Dataset.load(features, "full"), about["k"], repeats=False)
        assert (profile["users_listed"], profile["rows"]) == (about["users"], about["rows"])
        assert about["cold_users"] == 0
        assert {file["max_user"] for file in about["files"] if file["path"].startswith("topk/")} == {3}
    pointer = read_json(store.pointer) or {}
    assert pointer["manifest_sha256"] == sha256(store.exports / pointer["manifest"])
    valid = read_json(night.valid / "manifest.json") or {}
    assert valid["files"] == [describe(night.valid / file["path"], night.valid) for file in valid["files"]]
    assert valid["output"] != "as it was" and valid["fingerprint"] == "the same"


def test_the_line_that_stays_names_files_and_counts_but_not_the_user(night: Night) -> None:
    receipt = forget(night.store, "1")
    (written,) = (night.store.root / "forgotten.jsonl").read_text().splitlines()
    assert json.loads(written) == receipt.json_ready()
    assert json.loads(written)["complete"] and len(receipt.reference) == 32
    again = forget(night.store, "1")
    assert not again.found and again.complete and not again.resumed


@pytest.mark.parametrize("user_id", ["99", "anna", "1.5", "9" * 30])
def test_an_unknown_user_changes_nothing(night: Night, user_id: str) -> None:
    before = {path: path.read_bytes() for path in night.store.root.rglob("*") if path.is_file()}
    assert not forget(night.store, user_id).found
    assert {path: path.read_bytes() for path in night.store.root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_forgetting_that_was_cut_short_is_taken_up_again(
    night: Night, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before anything is in place, between two files of the export, and before its manifest is."""
    store, original, done = night.store, Path.replace, 0

    def killed(self: Path, target: Path) -> Path:
        nonlocal done
        if ".forget-" in str(self) and self.suffix == ".parquet":
            if done == steps:
                raise KeyboardInterrupt
            done += 1
        return original(self, target)

    publish(night, k=1)  # with topk_delta: two files of the export name users
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        forget(store, "1")
    with held(store):  # by whatever command is the next
        for name in whole_exports(store):
            intact(store, read_json(store.export_manifest(name)) or {})
    assert forget(store, "1").resumed
    assert not list(store.exports.glob(".forget-*")) and not list(store.root.glob(".forgetting-*"))
    for name in (str(FIRST), str(RUN_DATE), f"{RUN_DATE}.2"):
        about = read_json(store.export_manifest(name)) or {}
        intact(store, about)
        assert about["users"] == 4
    assert 1 not in [row["user_id"] for row in lists(store.root)]


def test_a_copy_that_was_half_written_is_thrown_away(night: Night) -> None:
    half = night.store.exports / f".forget-{RUN_DATE}"
    (half / "topk").mkdir(parents=True)
    (half / "topk" / "part-00000.parquet").write_bytes(b"PAR1")
    put_in_place(night.store, half)
    assert not half.exists()
    intact(night.store, Export.latest(night.store.root).manifest)


def test_lines_that_were_no_rows_go_if_they_name_the_user(night: Night) -> None:
    rejects = pa.table({"text": ["1,i3,2026", "12,i3,2026", "i1;1", None], "line": [1, 2, 3, 4]})
    for folder in (night.raw, night.quarantine):
        folder.mkdir(parents=True)
        pq.write_table(rejects, folder / "rejects.parquet")
    forget(night.store, "1")
    assert pq.read_table(night.raw / "rejects.parquet")["line"].to_pylist() == [2, 4]
    assert pq.read_table(night.quarantine / "rejects.parquet")["line"].to_pylist() == [2, 4]


def test_the_record_of_a_removed_export_names_nobody(night: Night) -> None:
    retain(night.store, RetentionSettings(exports=1, longest_read_hours=0))
    (record,) = (night.store.exports / "manifests" / "removed").iterdir()
    assert all("min_user" not in file for file in json.loads(record.read_text())["files"])


def test_words_are_redacted_and_short_numbers_where_they_are_ids(tmp_path: Path) -> None:
    path = tmp_path / "night.json"
    about = {"examples": ["u1", "u12", "of u1."], "rows": 12, "user_id": 12, "said": "12 rows of user 12, such as '12'"}
    path.write_text(json.dumps(about))
    assert redact(path, Person("u1"))
    assert json.loads(path.read_text())["examples"] == ["[forgotten]", "u12", "of [forgotten]."]
    assert not redact(path, Person("1.5"))
    assert redact(path, Person("12"))
    found = json.loads(path.read_text())
    assert (found["rows"], found["user_id"]) == (12, "[forgotten]")
    assert found["said"] == "12 rows of user [forgotten], such as '[forgotten]'"
    page = tmp_path / "page.html"
    page.write_text("<td>u1</td><td>u12</td>")
    assert redact(page, Person("u1")) and page.read_text() == "<td>[forgotten]</td><td>u12</td>"


def test_nobody_is_forgotten_without_a_name(night: Night) -> None:
    with pytest.raises(ConfigError, match="No user was named"):
        forget(night.store, " ")


def test_published_ids_may_be_keyed_hashes(night: Night, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = {(hmac_of(row["user_id"]), row["rank"]): row["item_id"] for row in lists(night.store.root)}
    monkeypatch.setenv(VARIABLE, KEY)
    about = publish(night, hash_key_env=VARIABLE)
    rows = lists(night.store.root)
    assert {(row["user_id"], row["rank"]): row["item_id"] for row in rows} == before
    places = [(row["user_id"], row["rank"]) for row in rows]
    assert places == sorted(places)
    assert about["schema"]["topk"]["columns"][1]["type"] == "string" and about["delta_of"] is None
    assert all(KEY.encode() not in path.read_bytes() for path in night.store.root.rglob("*") if path.is_file())
    assert "keep the contract" in nightrec("verify", "--store", night.store.root, cwd=tmp_path).out
    listed = json.loads(nightrec("recs", "3", "--json", "--store", night.store.root, cwd=tmp_path).out)
    assert [row["item_id"] for row in listed] == [before[hmac_of(3), rank] for rank in (1, 2, 3)]
    assert place(forget(night.store, "3"), "exports").removed[-1] == about["export_id"]
    assert hmac_of(3) not in [row["user_id"] for row in lists(night.store.root)]


def hmac_of(user_id: int) -> str:
    return hmac.new(KEY.encode(), str(user_id).encode(), hashlib.sha256).hexdigest()


def test_another_key_makes_another_export_and_without_one_there_is_none(
    night: Night, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="NIGHTREC_TEST_KEY is not set"):
        publish(night, hash_key_env=VARIABLE)
    monkeypatch.setenv(VARIABLE, "short")
    with pytest.raises(ConfigError, match="has 5 bytes and needs 16"):
        publish(night, hash_key_env=VARIABLE)
    monkeypatch.setenv(VARIABLE, KEY)
    first = publish(night, hash_key_env=VARIABLE)
    assert publish(night, hash_key_env=VARIABLE)["skipped"]
    monkeypatch.setenv(VARIABLE, KEY[::-1])
    assert not publish(night, hash_key_env=VARIABLE)["skipped"]
    monkeypatch.delenv(VARIABLE)
    unchecked = nightrec("verify", "--store", night.store.root, cwd=tmp_path)
    assert unchecked.code == 0 and f"{VARIABLE} is not set" in unchecked.out
    with pytest.raises(ConfigError, match="NIGHTREC_TEST_KEY is not set"):
        forget(night.store, "1")
    monkeypatch.setenv(VARIABLE, KEY[::-1])
    (why,) = forget(night.store, "1").failures
    assert why.startswith(f"export {first['export_id']}: its ids are hashed by another key")
    monkeypatch.setenv(VARIABLE, KEY)
    assert forget(night.store, "1").resumed and hmac_of(1) not in read_latest(night.store.root)["user_id"].to_pylist()
    assert first["users"] == 5


def test_the_hash_is_the_published_one() -> None:
    """RFC 4231, test case 2."""
    assert hashed("what do ya want for nothing?", b"Jefe") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize(
    ("user_id", "gone"), [(" 1", True), ("1\n", True), ("01", False), ("+1", False), ("1_0", False)]
)
def test_a_number_is_forgotten_as_it_is_written(night: Night, user_id: str, gone: bool) -> None:
    assert forget(night.store, user_id).found == gone


def test_a_text_is_forgotten_with_its_like_that_have_blanks_and_with_what_manifests_say_of_it(night: Night) -> None:
    ids = ["u1", "u1 ", "\tu1", "U1", "u10", None]
    path = night.valid / "users.parquet"
    pq.write_table(pa.table({"user_id": pa.array(ids)}), path)
    note = {"summary": {"notes": ["user_id is text: users has values such as 'u1'"]}, "output": "u1"}
    write_json(night.raw / "manifest.json", note)
    forget(night.store, "u1")
    assert pq.read_table(path)["user_id"].to_pylist() == ["U1", "u10", None]
    after = read_json(night.raw / "manifest.json") or {}
    assert after["summary"] == {"notes": ["user_id is text: users has values such as '[forgotten]'"]}
    assert after["output"] == "u1"


def test_that_nothing_was_of_a_user_is_said(night: Night, tmp_path: Path) -> None:
    ran = nightrec("forget", "nobody", "--store", night.store.root, cwd=tmp_path)
    assert (ran.code, "check how your tables write the id" in ran.err) == (2, True)
    assert nightrec("forget", "1", "--store", tmp_path / "none", cwd=tmp_path).code == 2


def test_forgetting_on_the_command_line(night: Night, tmp_path: Path) -> None:
    ran = nightrec("forget", "1", "--store", night.store.root, cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    assert "exports: 8 rows of 2 removed." in ran.out and "The user is forgotten. Reference: " in ran.out
    assert nightrec("recs", "1", "--store", night.store.root, cwd=tmp_path).code == 2
    receipt = json.loads(nightrec("forget", "2", "--json", "--store", night.store.root, cwd=tmp_path).out)
    assert receipt["complete"] and receipt["places"][0]["outcome"] == "removed"


def test_users_that_opted_out_are_in_no_table_of_the_export_and_in_no_report(night: Night) -> None:
    """User 8 has opted out: the id is in the valid tables, and nowhere that is published or shown."""
    store = Store(night.store.root)
    assert 8 in pq.read_table(night.valid / "users.parquet")["user_id"].to_pylist()
    for folder in (store.exports, night.features):
        for path, table in tables(folder).items():
            assert "user_id" not in table.column_names or 8 not in table["user_id"].to_pylist(), path


def test_models_of_arms_were_trained_on_the_user_as_the_champion_was(tmp_path: Path) -> None:
    night = Store(tmp_path).night(RUN_DATE)
    folders = [night.model("als"), night.toplists("als"), night.arm_model("ease"), night.replicate(2), night.champion]
    for folder in folders:
        folder.mkdir(parents=True)
    assert _models_of(night) == folders


def test_models_that_went_on_from_one_that_knew_the_user_go_too(tmp_path: Path) -> None:
    """The first night alone knew user 7; the second one went on from its model, the third one started from nothing."""
    store = Store(tmp_path)
    nights = [store.night(FIRST + timedelta(days)) for days in range(3)]
    for night, users in zip(nights, ([7, 8], [8], [8]), strict=True):
        night.prepared.mkdir(parents=True)
        pq.write_table(pa.table({"user_id": users}), night.prepared / layout.USERS)
    heir = {"changed": {}, "night": str(FIRST), "nights": 1, "since": str(FIRST)}
    for night, warm in zip(nights, ({}, {"warm": heir}, {"warm": {"changed": {}}}), strict=True):
        run_stage(night.model("als"), lambda _, warm=warm: warm, code="", inputs={}, parameters={})  # type: ignore[misc]
    unknown, person = Person("9"), Person("7")
    assert forget_in_nights(store, unknown, begin(store, unknown)).models == 0
    place = forget_in_nights(store, person, begin(store, person))
    assert place.models == 2
    assert [night.model("als").exists() for night in nights] == [False, False, True]


def test_a_table_of_vectors_still_says_how_long_they_are(tmp_path: Path) -> None:
    vectors = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"user_id": [1, 2], "vector": vectors}), tmp_path / "given.parquet")
    write_vectors("user_vectors", TableInput(path=str(tmp_path / "given.parquet")), ids.INTEGER, tmp_path)
    rest = tmp_path / "rest.parquet"
    assert len(rewrite(tmp_path / "user_vectors.parquet", Whose(Person("2")), rest)) == 1
    assert dimension_of(rest) == dimension_of(tmp_path / "user_vectors.parquet") == 2
