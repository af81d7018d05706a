"""A forgotten user is in no byte of the store, of its copies, or of Prefect's folder; what failed is completed."""

import base64
import html
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from recmodels.published.reader import Export, read_latest
from tasks.forgetting import forget as module
from tasks.forgetting.forget import Outside, forget
from tasks.publish.mirror import mirror
from tasks.publish.sinks.settings import SinkSettings
from tasks.publish.sinks.sink import Sink
from tasks.replay.kept import folder_of
from tasks.report.page import write_report
from tasks.store.exports import intact, rollback, whole_exports
from tasks.store.feedback import LEARNED, learned
from tasks.store.files import digest, read_json, sha256, write_json
from tasks.store.manifests import describe, run_stage
from tasks.store.paths import Night, Store
from tests.flows.running import nightrec, pages_without_charts
from tests.tasks.forgetting.everywhere import traces
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

pytestmark = pytest.mark.slow

FIRST = date(2026, 3, 30)
ODD = """o'neil & "söhne" <1>/?"""
NAMES = ("u1", "u10", ODD, "xu1")


class Folder(Sink):
    """A sink that keeps the lists of each night as JSON."""

    path: Path
    fails: bool = False

    def load(self, published: Any) -> dict[str, Any]:
        if self.fails:
            raise ConnectionError("It does not answer.")
        rows = [row for part in published.rows("topk") for row in part.to_pylist()]
        write_json(self.path / f"{published.run_date}.json", {"rows": rows})
        return {"topk": {"rows": len(rows)}}

    def forget(self, user_ids: list[str]) -> None:
        for path in self.path.glob("*.json"):
            rows = (read_json(path) or {})["rows"]
            write_json(path, {"rows": [row for row in rows if row["user_id"].strip() not in user_ids]})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two nights in which users are wherever they can be, its copies, and Prefect's folder."""
    top = tmp_path_factory.mktemp("made")
    root = top / "store"
    for run_date in (FIRST, RUN_DATE):
        night = prepare_night(root, run_date, NAMES)
        publish(night, k=2)
        _plant(night)
    rollback(Store(root))  # the second export is withdrawn
    (top / "home" / "storage").mkdir(parents=True)
    with closing(sqlite3.connect(top / "home" / "prefect.db")) as database:
        database.execute("CREATE TABLE log (id CHAR(36) PRIMARY KEY, message TEXT, level INTEGER)")
        database.execute("CREATE TABLE artifact (id CHAR(36) PRIMARY KEY, data JSON)")
        for n, user in enumerate(NAMES):
            database.execute("INSERT INTO log VALUES (?, ?, 20)", [n, f"refused, for example '{user}', in line 10"])
            database.execute("INSERT INTO artifact VALUES (?, ?)", [n, json.dumps([{"example": user}])])
        database.commit()
    (top / "home" / "storage" / "a1b2").write_text(json.dumps({"result": {"users": list(NAMES)}}))
    return top


@pytest.fixture
def place(tmp_path: Path, made: Path) -> Path:
    return shutil.copytree(made, tmp_path / "made", symlinks=True)


@pytest.fixture
def copied(place: Path) -> Path:
    """The same with a copy of the store at a URL."""
    mirror.fn(Store(place / "store"), f"file://{place / 'mirror'}")
    return place


def _plant(night: Night) -> None:
    """Leave users wherever stages, reports and people may have done so."""
    store, docs, ids = night.store, night.store.quality(night.run_date), pa.array([*NAMES, None]).dictionary_encode()
    for folder in (night.raw, night.quarantine, night.model("als"), night.toplists("als"), night.folder / "logs", docs):
        folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"user_id": ids, "n": range(5)}), night.raw / "interactions.parquet")
    pq.write_table(pa.table({"user_id": NAMES, "reason": NAMES}), night.quarantine / "users.parquet")
    for folder in (night.raw, night.quarantine):
        lines = [f"{user};i1;x" for user in NAMES]
        pq.write_table(pa.table({"text": lines, "line": range(4)}), folder / "rejects.parquet")
    save_file({"ids": np.frombuffer("\n".join(NAMES).encode(), np.uint8)}, night.model("als") / "ids.safetensors")
    (night.folder / "logs" / "als.log").write_text("".join(f"user {user} has {user};i1;x\n" for user in NAMES))
    said = ", ".join(f"'{user}'" for user in NAMES)
    for folder in (night.raw, night.valid):
        files = [describe(path, folder) for path in sorted(folder.glob("*.parquet"))]
        output = digest([(file["path"], file["sha256"]) for file in files])
        write_json(folder / "manifest.json", {"summary": {"notes": [said]}, "files": files, "output": output})
    about = {"status": "published", "winner": "ease", "reason": f"such as {said}", "export_id": str(night.run_date)}
    write_json(night.summary, about | {"stages": [{"stage": "ingest", "event": "note", "message": said}]})
    with pages_without_charts():
        write_report(night)
    escaped = "".join(f"<td>{html.escape(user)}</td><script>{json.dumps(user)}</script>" for user in NAMES)
    (docs / "index.html").write_text(escaped)
    for name in ("tuning/als.jsonl", "inputs/example.json"):
        path = store.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps({"example": user}) + "\n" for user in NAMES))
    pq.write_table(pa.table({"customer": NAMES}), store.root / "inputs" / "interactions.parquet")
    for name in LEARNED:
        with learned(store, night.run_date, name) as path:
            about = pa.table({"user_id": NAMES, "item_id": range(4)}).replace_schema_metadata({"export_id": "x"})
            pq.write_table(about, path)
    run_stage(store.panel(night.run_date), _write_panel, code="", inputs={}, parameters={})
    kept = folder_of(store.replay("spring").night(night.run_date), "als")
    run_stage(kept, _write_panel, code="", inputs={}, parameters={})
    removed = store.export_manifest("x").parent / "removed" / "2026-01-01.json"
    files = [{"path": "topk/part-00000.parquet", "min_user": user, "rows": 3} for user in NAMES]
    write_json(removed, {"files": files})


def _write_panel(out: Path) -> dict[str, str]:
    pairs = {"user_id": NAMES, "other_id": [*NAMES[1:], NAMES[0]]}  # everybody is in two
    pq.write_table(pa.table({"user_id": NAMES, "age": range(4)}), out / "users.parquet")
    pq.write_table(pa.table(pairs), out / "pairs.parquet")
    return {}


def outside(top: Path, **more: Any) -> Outside:
    sink = Folder(sink="x:Folder", path=top / "sink", **more)
    there = (top / "mirror").exists()
    return Outside(
        mirror=f"file://{top / 'mirror'}" if there else None,
        sinks=SinkSettings.model_validate({"folder": sink}),
        prefect_home=top / "home",
        prefect_database=top / "home" / "prefect.db",
    )


PLACES = (
    "topk/part", "raw/", "quarantine/rejects", ".safetensors", ".log", "night.json", "reports/", "quality/", "tuning/",
    "feedback/", "panel/", "replays/", "inputs/", "mirror/", "sink/", "prefect.db", "storage/",
)  # fmt: skip


@pytest.mark.parametrize("user", ["u1", ODD])
def test_no_byte_of_a_forgotten_user_is_left_and_all_others_are_there(copied: Path, user: str) -> None:
    store, other = Store(copied / "store"), "u10"
    forget(store, "nobody", outside(copied))  # which loads the sink
    before = traces(copied, user)
    assert user != ODD or "store/exports/manifests/2026-03-30.json" in before  # who comes first is named there
    assert [place for place in PLACES if not any(place in path for path in before)] == []
    theirs, lists = traces(copied, other), read_latest(store.root).to_pylist()
    with pages_without_charts():
        receipt = forget(store, user, outside(copied))
    assert receipt.complete, receipt.failures
    assert traces(copied, user) == []
    gone = set(theirs) - set(traces(copied, other))  # with models and copies that both were in
    assert all("/models/" in path or path.startswith("store/inputs/") for path in gone)
    assert read_latest(store.root).to_pylist() == [row for row in lists if row["user_id"] != user]
    sound(store)
    assert Export.latest(f"file://{copied / 'mirror'}").manifest == Export.latest(store.root).manifest


def sound(store: Store) -> None:
    """Every manifest is of the files that are there."""
    for name in whole_exports(store):
        intact(store, read_json(store.export_manifest(name)) or {})
    pointer = read_json(store.pointer) or {}
    assert pointer["manifest_sha256"] == sha256(store.exports / pointer["manifest"])
    of_replays = store.root.glob("replays/*/nights/*/measured/*/manifest.json")
    for path in (*store.root.glob("nights/*/*/manifest.json"), *store.root.glob("panel/*/manifest.json"), *of_replays):
        about = read_json(path) or {}
        assert about["files"] == [describe(path.parent / file["path"], path.parent) for file in about["files"]], path
        assert about["output"] == digest([(file["path"], file["sha256"]) for file in about["files"]])


def test_what_failed_is_named_and_completed_by_the_same_command(place: Path) -> None:
    store = Store(place / "store")
    about = store.export_manifest(str(RUN_DATE))
    content = about.read_bytes()
    about.write_bytes(b"{")
    receipt = forget(store, "u1", outside(place, fails=True))
    assert [one.name for one in receipt.places if one.failures] == ["exports", "sink folder"]
    assert str(about) in receipt.failures[0] and "does not answer" in receipt.failures[1]
    kept = (store.root / "forgotten.jsonl").read_text()
    assert not json.loads(kept)["complete"] and "u1" not in kept
    assert traces(place / "store", "u1") == []  # the rows are gone all the same
    about.write_bytes(content)
    again = forget(store, "u1", outside(place))
    assert (again.reference, again.resumed, again.complete) == (receipt.reference, True, True)
    assert not list(store.root.glob(".forgetting-*")) and not traces(place, "u1")
    assert not forget(store, "u1", outside(place)).found


@pytest.mark.parametrize("stop", ["forget_in_nights", "forget_in_rest", "forget_in_mirror", "forget_in_sinks"])
def test_one_that_is_killed_between_two_places_is_completed(
    copied: Path, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, stop, killed)
        forget(Store(copied / "store"), "u1", outside(copied))
    receipt = forget(Store(copied / "store"), "u1", outside(copied))
    assert receipt.resumed and receipt.complete and traces(copied, "u1") == []


def test_one_that_is_killed_at_any_change_of_a_file_is_completed(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every eleventh change, that is: at each of them takes minutes."""
    original, changes = Path.replace, 0

    def counted(self: Path, target: Path) -> Path:
        nonlocal changes
        changes += 1
        if changes % 11 == 0:
            raise KeyboardInterrupt
        return original(self, target)

    killed = 0
    with monkeypatch.context() as patch, pages_without_charts():
        patch.setattr(Path, "replace", counted)
        while True:
            try:
                receipt = forget(Store(copied / "store"), "u1", outside(copied))
                break
            except KeyboardInterrupt:
                killed += 1
    assert killed > 3 and receipt.complete and receipt.resumed and traces(copied, "u1") == []
    sound(Store(copied / "store"))


def test_a_file_that_was_damaged_stays_known_as_damaged(place: Path) -> None:
    store = Store(place / "store")
    night = store.night(RUN_DATE)
    for path in (night.valid / "interactions.parquet", store.export(str(RUN_DATE)) / "topk" / "part-00000.parquet"):
        pq.write_table(pq.read_table(path), path, compression="gzip")  # other bytes than were written
    before = {"night": _entry(night.valid / "manifest.json"), "export": _entry(store.export_manifest(str(RUN_DATE)))}
    assert forget(store, "u1").complete and traces(place / "store", "u1") == []
    now = {"night": _entry(night.valid / "manifest.json"), "export": _entry(store.export_manifest(str(RUN_DATE)))}
    assert {name: one["sha256"] for name, one in now.items()} == {name: one["sha256"] for name, one in before.items()}


def _entry(manifest: Path) -> dict[str, Any]:
    files = (read_json(manifest) or {})["files"]
    return next(file for file in files if file["path"] in ("interactions.parquet", "topk/part-00000.parquet"))


def test_files_of_people_are_searched_and_left_alone(place: Path) -> None:
    store = Store(place / "store")
    own = store.exports / f"{RUN_DATE}.bak" / "lists.parquet"
    own.parent.mkdir()
    pq.write_table(pa.table({"who": ["u1", "u2"]}), own)
    (store.root / "notes.txt").write_text("u10 complained")
    before = own.read_bytes()
    (why,) = forget(store, "u1").failures
    assert why.startswith(str(own)) and own.read_bytes() == before
    own.unlink()
    assert forget(store, "u1").complete


def test_a_copy_that_is_not_configured_here_is_told(copied: Path, tmp_path: Path) -> None:
    store = copied / "store"
    ran = nightrec("forget", "u1", "--store", store, cwd=tmp_path)
    assert ran.code == 1 and "mirror file:" in ran.out and "give --config" in ran.out
    assert "u1" not in ran.out + ran.err
    (tmp_path / "site.toml").write_text(f'[mirror]\nto = "file://{copied / "mirror"}"\n')
    ran = nightrec("forget", "u1", "--store", store, "--config", tmp_path / "site.toml", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert traces(copied / "mirror", "u1") == []


def test_a_packed_result_is_named_and_not_opened(place: Path) -> None:
    packed = place / "home" / "storage" / "c3"
    packed.write_text(json.dumps({"result": base64.b64encode(b"\x80\x04 refused: 'u1'").decode()}))
    (why,) = forget(Store(place / "store"), "u1", outside(place)).failures
    assert why == f"{packed} is a packed result that names the user: delete it"


def test_a_number_is_found_in_texts_where_it_is_an_id(place: Path) -> None:
    """And wherever it stands if it is long: figures of that size have commas."""
    store = Store(place / "store")
    night = store.night(RUN_DATE)
    for number in ("4000000123", "42"):
        pq.write_table(pa.table({"user_id": [int(number), 7]}), night.raw / "interactions.parquet")
        said = f"42 rows, such as '{number}' and user {number}; line 3: {number.rjust(10, 'x')}"
        write_json(night.summary, {"notes": [said], "rows": 42, "user_id": int(number)})
        assert forget(store, number).complete
        found = read_json(night.summary) or {}
        assert found["rows"] == 42 and found["user_id"] == "[forgotten]"
        assert found["notes"][0].startswith("42 rows, such as '[forgotten]' and user [forgotten]; ")
        assert pq.read_table(night.raw / "interactions.parquet")["user_id"].to_pylist() == [7]
