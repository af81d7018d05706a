"""One site's nights, one after another: what a night that is run again does, and what readers see meanwhile.

All nights run once, in the fixture ``life``; each test looks at what they left.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from recmodels.published.reader import read_latest
from tasks.store import bucket_lease
from tasks.store.files import read_json
from tasks.store.in_step import store_folder
from tasks.store.paths import Store
from tests.flows.running import Ran, everything, nightrec
from tests.flows.sites import DAY, log, write
from tests.tasks import servers

NEXT = DAY + timedelta(days=1)
SETTINGS = """\
[inputs.interactions]
path = "log.csv"
[models.popularity]
required = true
{popularity}
[models.item_knn]
{item_knn}
[models.ease]
timeout_minutes = 1e-09
{more}
"""


@dataclass(frozen=True)
class Step:
    """A night: how it ended, its record, and the exports after it."""

    ran: Ran
    record: dict[str, Any]
    exports: dict[str, str]

    @property
    def told(self) -> dict[str, str]:
        """What became of each stage: done, skipped or failed."""
        return {stage["stage"]: stage["event"] for stage in self.record["stages"]}

    def stages(self, event: str) -> set[str]:
        return {stage for stage, told in self.told.items() if told == event}


@dataclass
class Reader:
    """Reads the current export again and again, as a downstream job would."""

    exports: Path
    reads: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def read(self) -> None:
        text = (self.exports / "latest.json").read_bytes()
        pointer = json.loads(text)
        named = (self.exports / pointer["manifest"]).read_bytes()
        manifest = json.loads(named)
        assert hashlib.sha256(named).hexdigest() == pointer["manifest_sha256"], "another manifest"
        for file in manifest["files"]:
            content = (self.exports / pointer["path"] / file["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"], f"{file['path']} is another"
        lists = pq.read_table(self.exports / pointer["path"] / "topk")
        assert len(lists) == manifest["rows"] and len(lists["user_id"].unique()) == manifest["users"]
        assert len(pq.read_table(self.exports / "latest" / "popular")) > 0
        self.reads.append(pointer["export_id"])

    @contextmanager
    def reading(self) -> Iterator[None]:
        stop = threading.Event()

        def poll() -> None:
            while not stop.is_set():
                try:
                    self.read()
                except Exception as error:
                    self.trouble.append(f"{type(error).__name__}: {error}")
                stop.wait(0.05)

        thread = threading.Thread(target=poll)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@dataclass(frozen=True)
class Life:
    folder: Path
    first: Step
    again: Step
    loser: Step  # another parameter for a model that does not win
    winner: Step  # another one for the model that does
    fresh: Step
    earlier: Step  # the night before, made up for
    reader: Reader

    @property
    def exports(self) -> Path:
        return self.folder / "store" / "exports"

    def manifest(self, export_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.exports / "manifests" / f"{export_id}.json").read_text())
        return found


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, no_prefect: None) -> Life:
    folder = tmp_path_factory.mktemp("life")
    write(folder / "log.csv", log())
    store = folder / "store"

    def night(*arguments: str, popularity: str = "", item_knn: str = "", more: str = "", day: str = str(DAY)) -> Step:
        write(folder / "nightrec.toml", SETTINGS.format(popularity=popularity, item_knn=item_knn, more=more))
        ran = nightrec("run", "--date", day, *arguments, cwd=folder)
        record = json.loads((store / "nights" / day / "night.json").read_text())
        return Step(ran, record, everything(store / "exports"))

    reader = Reader(store / "exports")
    first, again = night(more="[models.content]"), night(more="[models.content]")
    with reader.reading():
        loser = night(popularity="parameters = { days = 30 }")
        winner = night(popularity="parameters = { days = 30 }", item_knn="parameters = { neighbors = 3 }")
        fresh = night("--fresh", popularity="parameters = { days = 30 }", item_knn="parameters = { neighbors = 3 }")
        earlier = night(day=str(DAY - timedelta(days=1)))
    return Life(folder, first, again, loser, winner, fresh, earlier, reader)


DATA_STAGES = {"ingest", "validate", "prepare", "features train", "features full"}
DATA_STAGES |= {"train popularity_7d", "evaluate popularity_7d"}  # competes though it is not configured
KNN_STAGES = {"train item_knn", "evaluate item_knn"}
BASELINE_STAGES = {"train popularity", "evaluate popularity"}
CHOICE_STAGES = {"compare", "refit item_knn", "export", "panel"}


def test_all_nights_publish(life: Life) -> None:
    for step in (life.first, life.again, life.loser, life.winner, life.fresh, life.earlier):
        assert step.ran.code == 0, step.ran.err
        assert (step.record["status"], step.record["winner"]) == ("published", "item_knn")


def test_models_that_fail_are_reported_and_the_night_goes_on_without_them(life: Life) -> None:
    assert life.first.stages("failed") == {"train ease", "train content"}
    assert life.first.stages("done") == DATA_STAGES | KNN_STAGES | BASELINE_STAGES | CHOICE_STAGES
    failed = life.first.record["failed"]
    assert set(failed) == {"ease", "content"}
    assert "ease was stopped after 1e-09 minutes: give it more with models.ease.timeout_minutes" in failed["ease"]
    assert "content failed: The items have no terms to compare" in failed["content"]
    assert set(life.first.record["models"]) == {"popularity", "popularity_7d", "item_knn"}
    for name in ("ease", "content"):
        assert re.search(rf"^│ {name} +│ +failed │", life.first.ran.out, re.MULTILINE)
    assert not list((life.folder / "store" / "nights" / str(DAY) / "toplists").glob("ease*"))


def test_a_second_run_skips_every_stage_and_publishes_nothing_new(life: Life) -> None:
    assert life.again.stages("skipped") == life.first.stages("done")
    assert life.again.stages("done") == set()
    assert life.again.exports == life.first.exports
    assert f"Published before: {Path('store') / 'exports' / str(DAY)}" in life.again.ran.out


def test_a_changed_parameter_redoes_that_model_and_the_comparison(life: Life) -> None:
    assert life.loser.stages("done") == BASELINE_STAGES | {"compare"}
    assert life.loser.stages("skipped") == DATA_STAGES | KNN_STAGES | {"refit item_knn", "export", "panel"}
    assert life.loser.exports == life.first.exports


def test_a_changed_parameter_of_the_winner_is_published_as_a_second_export(life: Life) -> None:
    assert life.winner.stages("done") == KNN_STAGES | CHOICE_STAGES
    assert life.winner.stages("skipped") == DATA_STAGES | BASELINE_STAGES
    assert life.winner.record["export_id"] == f"{DAY}.2"
    assert json.loads((life.exports / "latest.json").read_text())["export_id"] == f"{DAY}.3"


def test_fresh_does_everything_again_and_publishes_a_third(life: Life) -> None:
    assert life.fresh.stages("skipped") == set()
    assert life.fresh.stages("done") == life.first.stages("done")
    assert life.fresh.record["export_id"] == f"{DAY}.3"


def test_the_same_inputs_and_seed_give_the_same_lists(life: Life) -> None:
    second, third = (life.manifest(f"{DAY}.{n}")["files"] for n in (2, 3))
    lists = [file for file in second if not file["path"].startswith("topk_delta/")]
    assert len(lists) == 4 and all(file in third for file in lists)
    assert sum(file["rows"] for file in third if file not in lists) == 0  # and nothing has changed


def test_a_published_export_is_never_changed(life: Life) -> None:
    last = life.earlier.exports
    for step in (life.first, life.winner, life.fresh):
        kept = {name: content for name, content in step.exports.items() if not name.startswith("latest")}
        assert kept.items() <= last.items()


def test_an_earlier_night_does_not_turn_readers_back(life: Life) -> None:
    before = DAY - timedelta(days=1)
    assert life.earlier.record["export_id"] == str(before)
    assert f"{before}/topk/part-00000.parquet" in life.earlier.exports
    assert f"({before})" in life.earlier.ran.out  # the list that is shown is of the night that ran
    for name in ("latest.json", "latest"):
        assert life.earlier.exports[name] == life.fresh.exports[name]


def test_a_reader_never_sees_a_missing_or_half_written_export(life: Life) -> None:
    assert life.reader.trouble == []
    assert list(dict.fromkeys(life.reader.reads)) == [str(DAY), f"{DAY}.2", f"{DAY}.3"]
    assert len(life.reader.reads) > 20


def test_nothing_temporary_is_left_in_the_store(life: Life) -> None:
    assert [path for path in (life.folder / "store").rglob("*") if ".tmp" in path.name] == []


def test_status_shows_the_nights(life: Life) -> None:
    ran = nightrec("status", cwd=life.folder)
    assert ran.code == 0, ran.err
    lines = [line for line in ran.result.splitlines() if "2024-" in line]
    assert [str(DAY - timedelta(days=1)) in lines[0], str(DAY) in lines[1]] == [True, True]
    assert "published" in lines[1] and "item_knn" in lines[1] and "latest" in lines[1]
    assert "latest" not in lines[0]


def test_a_list_of_an_earlier_night_can_be_looked_at(life: Life) -> None:
    before = DAY - timedelta(days=1)
    rows = json.loads(nightrec("recs", "u07", "--json", "--date", str(before), cwd=life.folder).out)
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert {row["run_date"] for row in rows} == {str(before)}


@pytest.mark.server
def test_a_night_that_was_stopped_goes_on_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None
) -> None:
    monkeypatch.setattr(bucket_lease, "MOMENT", 0.0)
    for name, value in {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "a secret"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "log.csv").write_text(log())
    with servers.s3() as place:
        where = f"endpoint_override={place}&scheme=http&region=us-east-1"
        files, _ = pafs.FileSystem.from_uri(f"s3://shop?{where}&allow_bucket_creation=true")
        files.create_dir("shop")
        night = ["run", "--interactions", "log.csv", "--models", "popularity", "--date", str(DAY)]
        night += ["--store", f"s3://shop/site?{where}"]
        monkeypatch.setenv("NIGHTREC_STORE_CACHE", str(tmp_path / "here"))
        with monkeypatch.context() as stopped:
            stopped.setattr("flows.nightly.compare", Mock(side_effect=KeyboardInterrupt))
            assert nightrec(*night, cwd=tmp_path).code == 130
        monkeypatch.setenv("NIGHTREC_STORE_CACHE", str(tmp_path / "there"))
        ran = nightrec(*night, cwd=tmp_path)
        assert ran.code == 0, ran.err
        store = Store(store_folder(night[-1]))
        told = {one["stage"]: one["event"] for one in (read_json(store.night(DAY).summary) or {})["stages"]}
        done = {"compare", "refit popularity_7d", "export", "mirror", "panel", "report"}
        assert {stage for stage, event in told.items() if event == "done"} <= done
        assert told["train popularity"] == told["validate"] == "skipped"
        assert read_latest(night[-1]) == read_latest(store.root)
        nowhere = nightrec("status", "--store", f"s3://none/site?{where}", cwd=tmp_path)
        assert (nowhere.code, "There is no bucket none for the store s3://none/site" in nowhere.err) == (1, True)
        assert "a secret" not in ran.out + ran.err + nowhere.err
