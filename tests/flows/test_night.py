"""Whole nights: what they print, how they fail, what a kill leaves behind, and ids and time."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pyarrow.parquet as pq
import pytest

from recmodels.errors import NightrecError
from tasks.train.jobs import TrainingJob
from tasks.train.process import run_candidate
from tests.deployments import forked_python
from tests.flows.plain import without_prefect
from tests.flows.running import Demo, Ran, everything, nightrec, start
from tests.flows.sites import DAY, log, write
from tests.waiting import PATIENCE, until, until_ended


def test_a_night_ends_with_the_export_the_winner_its_figures_and_a_list(demo: Demo) -> None:
    assert demo.ran.code == 0, demo.ran.err
    assert demo.ran.err == ""
    out = demo.ran.out
    record = json.loads((demo.store / "nights" / str(DAY) / "night.json").read_text())
    ndcg = record["models"][record["winner"]]["ndcg"]
    assert f"Published: store/exports/{DAY}" in out
    assert f"Winner: {record['winner']}, NDCG@10 {ndcg['value']:.4f} [{ndcg['low']:.4f}, {ndcg['high']:.4f}]" in out
    assert f"{record['rows']:,} rows for {record['users']:,} users" in out
    for stage in record["stages"]:
        assert re.search(rf"^│ {stage['stage']} +│ +[\d.]+ │", out, re.MULTILINE), stage
    titles = set(pq.read_table(demo.store / "demo" / "items.parquet")["title"].to_pylist())
    listed = [cells for line in out.splitlines() if len(cells := [cell.strip() for cell in line.split("│")]) == 7]
    assert [int(cells[1]) for cells in listed] == list(range(1, 11))
    assert all(cells[3] in titles for cells in listed)


def test_a_night_without_a_terminal_has_a_line_a_stage_and_then_its_page(demo: Demo) -> None:
    assert "\x1b" not in demo.ran.out
    assert re.match(rf"\d\d:\d\d:\d\d night {DAY}: demo site done", demo.ran.out)
    assert demo.ran.result.startswith("Stages")


def test_all_default_models_compete(demo: Demo) -> None:
    record = json.loads((demo.store / "nights" / str(DAY) / "night.json").read_text())
    assert set(record["models"]) == {
        "popularity",
        "popularity_7d",
        "item_knn",
        "als",
        "ease",
        "graph_filter",
        "content",
    }
    assert record["failed"] == {}
    shares = {"ndcg", "recall", "recall_capped", "precision", "hit_rate", "map", "mrr", "coverage", "gini"}
    shares |= {"average_popularity", "cold_share", "serendipity", "diversity", "personalisation", "identical_lists"}
    metrics = {*shares, "novelty"}
    assert all(set(figures) == metrics for figures in record["models"].values())
    assert all(0 <= figures[metric]["value"] <= 1 for figures in record["models"].values() for metric in shares)
    history = pq.read_table(demo.store / "history" / f"{DAY}.parquet").to_pylist()
    whole = {(row["model"], row["metric"]) for row in history if row["slice"] == "all"}
    assert whole == {(m, f) for m in record["models"] for f in metrics}
    slices = {row["slice"].partition(":")[0] for row in history}
    assert {"all", "history", "newness", "items", "category"} <= slices


def test_every_stage_leaves_a_manifest_and_data_docs(demo: Demo) -> None:
    night = demo.store / "nights" / str(DAY)
    for stage in ("raw", "valid", "features/prepared", "features/train", "features/full", "evaluation", "champion"):
        manifest = json.loads((night / stage / "manifest.json").read_text())
        there = {str(p.relative_to(night / stage)) for p in (night / stage).rglob("*") if p.is_file()}
        assert {file["path"] for file in manifest["files"]} == there - {"manifest.json"}, stage
        assert all(len(file["sha256"]) == 64 for file in manifest["files"])
    assert (demo.store / "quality" / str(DAY) / "index.html").exists()
    assert pq.read_metadata(night / "quarantine" / "interactions.parquet").num_rows > 0


def test_nothing_in_a_store_can_be_executed_or_unpickled(demo: Demo) -> None:
    files = [path for path in demo.store.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".json", ".parquet", ".safetensors", ".html", ".log"}
    for path in files:
        head = path.read_bytes()[:16]
        safetensors = path.suffix == ".safetensors" and head[8:9] == b"{"
        assert safetensors or not head.startswith((b"\x80", b"PK", b"\x7fELF", b"#!", b"MZ")), path
        assert not path.stat().st_mode & 0o111, path


def test_the_page_of_a_night_has_its_charts(demo: Demo) -> None:
    page = (demo.store / "reports" / f"{DAY}.html").read_text()
    assert page.count("<figure>") == page.count("<svg ") == 7  # all but the curves of models that train in epochs


def test_recs_names_titles_and_reasons(demo: Demo) -> None:
    user = pq.read_table(demo.store / "exports" / "latest" / "topk")["user_id"][0].as_py()
    rows = json.loads(nightrec("recs", user, "--json", cwd=demo.folder).out)
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert all(row["title"] for row in rows)
    shown = nightrec("recs", user, cwd=demo.folder)
    assert shown.code == 0 and all(row["title"] in shown.out for row in rows)


# A required model that fails


EASE = ("--models", "ease", "--force-model", "ease")  # it is the champion of the nights after


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> tuple[Path, Ran]:
    """A store with one published night, and a second night in which a required model runs out of time."""
    folder = tmp_path_factory.mktemp("failed")
    write(folder / "log.csv", log())
    assert nightrec("run", "--interactions", "log.csv", "--date", str(DAY), *EASE, cwd=folder).code == 0
    before = everything(folder / "store" / "exports")
    settings = '[inputs.interactions]\npath = "log.csv"\n[models.popularity]\n[models.ease]\nrequired = true\n'
    write(folder / "nightrec.toml", settings + "timeout_minutes = 1e-09\n")
    ran = nightrec("run", "--date", str(DAY + timedelta(days=1)), cwd=folder)
    assert everything(folder / "store" / "exports") == before
    return folder, ran


def test_a_required_model_that_fails_fails_the_night_in_a_sentence(failed: tuple[Path, Ran]) -> None:
    _, ran = failed
    assert ran.code == 1
    assert ran.result == ""
    assert ran.err.count("\n") == 1, ran.err
    assert "The required model ease failed: ease was stopped after 1e-09 minutes" in ran.err
    assert "The last export stays" in ran.err


def test_status_shows_what_went_wrong(failed: tuple[Path, Ran]) -> None:
    folder, _ = failed
    shown = nightrec("status", cwd=folder)
    assert shown.code == 0
    assert "failed" in shown.out and "required model" in shown.out
    assert f"{DAY} (latest)" in shown.out


# A champion that crashes


@pytest.fixture(scope="module")
def without_champion(failed: tuple[Path, Ran], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The night after, whose champion crashes in training, and only there."""
    folder = shutil.copytree(failed[0], tmp_path_factory.mktemp("without") / "champion", symlinks=True)
    (folder / "nightrec.toml").unlink()

    def crashing(job: TrainingJob, *about: Any) -> Any:
        if (job.name, job.split) == ("ease", "train"):
            raise NightrecError("ease was killed by signal 11.")
        return run_candidate(job, *about)

    arguments = ("--interactions", "log.csv", "--date", str(DAY + timedelta(days=2)), "--models", "ease")
    with patch("tasks.train.stage.run_candidate", crashing):
        return folder, nightrec("run", *arguments, cwd=folder)


def test_a_champion_that_crashes_is_published_by_its_recipe_and_with_a_warning(
    without_champion: tuple[Path, Ran],
) -> None:
    folder, ran = without_champion
    assert ran.code == 5, ran.err
    warning = "The champion ease could not be measured tonight (ease was killed by signal 11)"
    assert ran.result.startswith(warning)
    assert "Winner: ease, not measured, the champion ease could not be measured" in ran.out
    assert "5 published" in nightrec("--help", cwd=folder).out
    record = json.loads((folder / "store" / "nights" / str(DAY + timedelta(days=2)) / "night.json").read_text())
    assert (record["status"], record["winner"], record["gate"]["verdict"]) == ("published", "ease", "unmeasured")
    assert sorted(line["event"] for line in record["stages"] if line["stage"] == "train ease") == [
        "failed", "failed", "note",
    ]  # fmt: skip
    assert set(pq.read_table(folder / "store" / "exports" / "latest" / "topk")["model"].to_pylist()) == {"ease"}


def test_a_night_without_its_champion_does_not_pass_for_a_good_one(without_champion: tuple[Path, Ran]) -> None:
    folder, _ = without_champion
    page = (folder / "store" / "reports" / f"{DAY + timedelta(days=2)}.html").read_text()
    assert '<p class="news unbeaten">The champion ease could not be measured tonight' in page
    assert "could not be measured" in re.sub(r"[│\s]+", " ", nightrec("status", cwd=folder).out)


# A night that is killed


CANDIDATE, FORKS = "recmodels.candidate", "recmodels.candidate_forks"
WAITING = """
import time
from dataclasses import dataclass
from pathlib import Path

from recmodels.popularity import Popularity

@dataclass
class Waiting(Popularity):
    def _fit(self, data, options):
        while Path(__file__).with_name("wait").exists():
            time.sleep(0.01)
        super()._fit(data, options)
"""
MODELS = ("first", "second", "third")  # of which one waits until another has been fitted


@pytest.fixture(scope="module")
def killed(
    tmp_path_factory: pytest.TempPathFactory, prefect_home: Path, prefect_server: None, python: Path
) -> Iterator[tuple[Path, Ran, list[psutil.Process], list[psutil.Process]]]:
    """A night's folder, a second night that was tried meanwhile, and the killed night's processes:
    the candidates, and the others. Night and candidates are started as they are; what trains waits.
    """
    folder = tmp_path_factory.mktemp("killed")
    write(folder / "log.csv", log())
    write(folder / "wait", "")
    write(folder / "waiting.py", WAITING)
    models = "".join(f'[models.{name}]\nrecommender = "waiting:Waiting"\n' for name in MODELS)
    write(folder / "nightrec.toml", "[training]\nparallel = 2\n" + models)
    arguments = ("run", "--interactions", "log.csv", "--date", str(DAY))
    night = folder / "store" / "nights" / str(DAY)
    process = start(*arguments, cwd=folder, home=prefect_home, python=python)
    children: list[psutil.Process] = []
    try:
        wait_for((night / "night.json").exists, process)
        second = nightrec(*arguments, cwd=folder)
        wait_for(lambda: list((night / "logs").glob("*-train.spec.json")), process)
        wait_for(lambda: any(map(is_candidate, psutil.Process(process.pid).children(recursive=True))), process)
        os.kill(process.pid, signal.SIGSTOP)  # so that nothing is started or ends unseen
        children = psutil.Process(process.pid).children(recursive=True)
        candidates = [child for child in children if is_candidate(child)]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        yield folder, second, candidates, [child for child in children if child not in candidates]
    finally:
        process.kill()
        for child in children:
            if child.is_running():
                child.kill()


def wait_for(happens: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    def happened() -> object:
        assert process.poll() is None, process.communicate()
        return happens()

    until("the night gets there", happened, every=0.01)


def is_candidate(process: psutil.Process) -> bool:
    try:
        forked = FORKS in process.cmdline() and FORKS in psutil.Process(process.ppid()).cmdline()
        return forked or CANDIDATE in process.cmdline()
    except psutil.Error:
        return False


Killed = tuple[Path, Ran, list[psutil.Process], list[psutil.Process]]


def test_a_second_night_on_the_same_store_is_refused(killed: Killed) -> None:
    folder, second, _, _ = killed
    assert second.code == 1
    assert second.err.count("\n") == 1
    assert f"Another night is running in the store {folder / 'store'}, on " in second.err
    assert "wait for it to end" in second.err


def test_no_candidate_survives_a_killed_night(killed: Killed) -> None:
    folder, _, candidates, _ = killed
    assert candidates
    until_ended(candidates)
    toplists = folder / "store" / "nights" / str(DAY) / "toplists"
    assert [path for path in toplists.glob("*") if not path.name.startswith(".tmp")] == []


def test_no_other_process_survives_a_killed_night(killed: Killed) -> None:
    _, _, _, others = killed
    until_ended(others)


def test_ctrl_c_ends_a_night_and_all_its_processes(
    killed: Killed, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, prefect_home: Path, python: Path
) -> None:
    """A terminal sends it to every process of the group. The night goes on from where the killed one was."""
    before, _, candidates, _ = killed
    until_ended(candidates)
    folder = shutil.copytree(before, tmp_path / "interrupted")
    logs = folder / "store" / "nights" / str(DAY) / "logs"
    shutil.rmtree(logs)
    process = start(
        "run", "--interactions", "log.csv", "--date", str(DAY), cwd=folder, home=prefect_home, python=python
    )
    wait_for(lambda: list(logs.glob("*-train.spec.json")), process)
    night = forked_python.fork_of(forked_python.shared(tmp_path_factory), process.pid) or process.pid
    children = psutil.Process(night).children(recursive=True)
    os.killpg(night, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=PATIENCE)
        ended = Ran(process.returncode, out, err)
        assert (ended.code, ended.result) == (130, "")
        assert ended.err.strip().startswith("nightrec: stopped by Ctrl-C. What was finished is kept")
        until_ended(children)
        assert len(list(logs.glob("*-train.log"))) < len(MODELS)  # the one that waited never began
    finally:
        process.kill()
        for child in children:
            if child.is_running():
                child.kill()


def test_a_killed_night_resumes_and_publishes(killed: Killed) -> None:
    folder, _, candidates, _ = killed
    until_ended(candidates)
    night = folder / "store" / "nights" / str(DAY)
    assert json.loads((night / "night.json").read_text())["status"] == "running"
    assert "interrupted" in nightrec("status", cwd=folder).out
    assert not (folder / "store" / "exports" / "latest.json").exists()
    (folder / "wait").unlink()
    ran = nightrec("run", "--interactions", "log.csv", "--date", str(DAY), cwd=folder)
    assert ran.code == 0, ran.err
    record = json.loads((night / "night.json").read_text())
    events = {stage["stage"]: stage["event"] for stage in record["stages"]}
    assert {events[stage] for stage in ("ingest", "validate", "prepare", "features train")} == {"skipped"}
    assert {events[f"train {name}"] for name in MODELS} | {events["export"]} == {"done"}
    assert record["status"] == "published"
    assert json.loads((folder / "store" / "exports" / "latest.json").read_text())["export_id"] == str(DAY)
    assert [path for path in (folder / "store").rglob("*") if ".tmp" in path.name] == []


# Ids and time


USERS = ["007", "7", "a", "A", "Ä", "ä", "Zoë", "用户", "9007199254740993", " padded ", "0x1F", "1e3", "😀", "None"]
ITEMS = [2**53 + n for n in range(12)]  # as doubles, every second one would be another


def odd_log() -> str:
    """Timestamps without a zone, close to midnight; every user has five items."""
    rows = ["user_id,item_id,timestamp"]
    for user, name in enumerate(USERS):
        for n in range(5):
            when = datetime(2024, 2, 29, 23, 30, tzinfo=UTC) - timedelta(days=(user + 3 * n) % 20, minutes=user)
            rows.append(f"{name},{ITEMS[(user + 2 * n) % len(ITEMS)]},{when:%Y-%m-%d %H:%M:%S}")
    rows.append(f"007,{ITEMS[11]},2024-03-01 00:00:00")  # at the cutoff: not seen
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The stores of the same night on machines in Tokyo and in Honolulu, without Prefect, which changes no data."""
    log_file = write(tmp_path_factory.mktemp("odd") / "log.csv", odd_log())
    arguments = ("run", "--interactions", log_file, "--date", str(DAY), "--models", "item_knn", "--k", "4")
    stores = []
    for zone in ("Asia/Tokyo", "Pacific/Honolulu"):
        folder = tmp_path_factory.mktemp("odd")
        with pytest.MonkeyPatch.context() as environment, without_prefect():
            environment.setenv("TZ", zone)
            time.tzset()
            try:
                ran = nightrec(*arguments, cwd=folder)
            finally:
                environment.undo()
                time.tzset()
        assert ran.code == 0, ran.err
        stores.append(folder / "store")
    return stores


def test_the_zone_of_the_machine_changes_nothing(odd: list[Path]) -> None:
    tokyo, honolulu = (everything(store / "exports" / str(DAY)) for store in odd)
    assert tokyo == honolulu
    for file in ("train/interactions.parquet", "full/interactions.parquet", "holdout.parquet"):
        there, here = (pq.read_table(s / "nights" / str(DAY) / "features" / "prepared" / file) for s in odd)
        assert there.equals(here)


def test_ids_come_out_as_they_went_in(odd: list[Path]) -> None:
    lists = pq.read_table(odd[0] / "exports" / "latest" / "topk")
    assert set(lists["user_id"].to_pylist()) == set(USERS)
    assert set(lists["item_id"].to_pylist()) <= set(ITEMS)
    assert len(set(lists["item_id"].to_pylist())) > len(ITEMS) // 2
    assert str(lists.schema.field("item_id").type) == "int64"


def test_the_cutoff_is_midnight_in_the_sites_zone(odd: list[Path]) -> None:
    """What user 007 did at midnight itself is of the next night, so it may still be recommended."""
    full = pq.read_table(odd[0] / "nights" / str(DAY) / "features" / "prepared" / "full" / "interactions.parquet")
    assert full.num_rows == 5 * len(USERS)


def test_a_user_is_found_by_the_id_as_it_was_written(odd: list[Path]) -> None:
    for user in ("007", "7", "Ä", "用户"):
        rows = json.loads(nightrec("recs", user, "--json", "--store", odd[0], cwd=odd[0]).out)
        assert {row["user_id"] for row in rows} == {user}


def test_a_run_date_is_a_date(odd: list[Path]) -> None:
    assert pq.read_table(odd[0] / "exports" / "latest" / "topk")["run_date"][0].as_py() == date(2024, 3, 1)
