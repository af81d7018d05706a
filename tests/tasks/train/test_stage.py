"""Training in a process of its own: what it leaves, how it fails, and how many run at a time."""

import json
import os
import shutil
import signal
import subprocess
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from recmodels.errors import NightrecError
from tasks.lists.rules import ListSettings
from tasks.store.files import Json
from tasks.store.machine import Machine
from tasks.store.manifests import run_stage
from tasks.store.paths import Night
from tasks.train import stage as training
from tasks.train.jobs import Candidate, EvaluationSettings, TrainingJob
from tasks.train.stage import earlier, recipe_of, refit, train
from tests.tasks.export.test_stage import prepare_night

MANIFEST = {"output": "as prepared"}
RULES = ListSettings(k=3)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def job(night: Night, name: str, rules: ListSettings = RULES, split: Any = "train", **candidate: Any) -> TrainingJob:
    return TrainingJob(
        store=night.store.root,
        run_date=night.run_date,
        name=name,
        candidate=Candidate(**candidate),
        rules=rules,
        evaluation=EvaluationSettings(),
        split=split,
        concurrency=2,
    )


def trained(night: Night, name: str, rules: ListSettings = RULES, **candidate: Any) -> Json:
    return train.fn(job(night, name, rules, **candidate), MANIFEST, MANIFEST)


def test_a_candidate_leaves_its_model_and_lists_of_the_measured_users(night: Night) -> None:
    manifest = trained(night, "neighbours", recommender="item_knn", parameters={"neighbors": 5})
    about = json.loads((night.model("neighbours") / "model.json").read_text())
    assert (about["recommender"], about["parameters"]["neighbors"]) == ("item_knn", 5)
    lists = pq.read_table(night.toplists("neighbours") / "lists.parquet")
    holdout = pq.read_table(night.prepared / "holdout.parquet")
    assert set(lists["user_index"].to_pylist()) == set(holdout["user_index"].to_pylist())
    assert manifest["summary"]["n_users"] == len(set(holdout["user_index"].to_pylist()))
    assert manifest["summary"]["peak_bytes"] > 0


def test_longer_lists_need_no_new_model(night: Night) -> None:
    trained(night, "item_knn")
    before = (night.model("item_knn") / "manifest.json").read_bytes()
    assert not trained(night, "item_knn", ListSettings(k=4))["skipped"]
    assert (night.model("item_knn") / "manifest.json").read_bytes() == before
    assert trained(night, "item_knn", ListSettings(k=4))["skipped"]


def test_another_parameter_needs_a_new_model(night: Night) -> None:
    trained(night, "item_knn")
    before = (night.model("item_knn") / "manifest.json").read_bytes()
    trained(night, "item_knn", parameters={"neighbors": 1})
    assert (night.model("item_knn") / "manifest.json").read_bytes() != before


def test_the_winner_is_fitted_on_the_full_window(night: Night) -> None:
    manifest = refit.fn(job(night, "item_knn", split="full"), MANIFEST, MANIFEST)
    assert manifest["parameters"]["recommender"] == "item_knn"
    spec = json.loads((night.folder / "logs" / "item_knn-full.spec.json").read_text())
    assert (spec["split"], spec["lists"]) == ("full", None)
    assert (night.champion / "model.safetensors").exists()


def hybrid(night: Night, split: Any, warm_start: str, **parameters: Any) -> TrainingJob:
    given = {"factors": 4, "epochs": 1, "warm_start": warm_start}
    return job(night, "hybrid", split=split, parameters=given | parameters)


def has_trained(asked: TrainingJob) -> Json:
    """Leave a model of that recipe, and say how a later one is told to start from it."""
    night = asked.night
    folder = night.model("hybrid") if asked.split == "train" else night.champion
    run_stage(folder, lambda _: {}, code="1", inputs={}, parameters=recipe_of(asked))
    return {"earlier": {"model": str(folder), "features": str(night.features)}}


def next_night(night: Night) -> Night:
    return prepare_night(night.store.root, night.run_date + timedelta(days=1))


def test_a_winner_starts_from_the_newest_earlier_night_of_the_same_recipe(night: Night) -> None:
    second = next_night(night)
    third = next_night(second)
    first_left, second_left = (has_trained(hybrid(one, "full", "refit")) for one in (night, second))
    assert earlier(hybrid(night, "full", "refit")) == {}
    assert earlier(hybrid(second, "full", "refit")) == first_left
    assert earlier(hybrid(third, "full", "refit")) == second_left
    assert earlier(hybrid(third, "full", "refit", factors=5)) == earlier(hybrid(third, "full", "no")) == {}
    assert earlier(job(third, "item_knn", split="full")) == {}
    shutil.rmtree(second.champion)
    assert earlier(hybrid(third, "full", "refit")) == first_left


def test_the_comparison_starts_warm_only_where_nothing_of_its_holdout_was_learnt(night: Night) -> None:
    second = next_night(night)
    left = has_trained(hybrid(night, "train", "always"))
    assert earlier(hybrid(second, "train", "always")) == {}  # each user's last item: whose was it the night before?
    for one in (night, second):
        (one.prepared / "manifest.json").write_text('{"summary": {"holdout": {"protocol": "days"}}}')
    has_trained(hybrid(night, "train", "refit"))
    assert earlier(hybrid(second, "train", "refit")) == {}
    has_trained(hybrid(night, "train", "always"))
    assert earlier(hybrid(second, "train", "always")) == left


def test_what_was_learnt_last_night_is_taken_by_id(night: Night) -> None:
    second = next_night(night)
    for one in (night, second):
        shutil.rmtree(one.champion)
        refit.fn(hybrid(one, "full", "refit"), MANIFEST, MANIFEST)
    logs = [(one.folder / "logs" / "hybrid-full.log").read_text() for one in (night, second)]
    assert ["users: 6 of 6 rows are of the earlier model" in log for log in logs] == [False, True]


def test_a_candidate_out_of_time_is_stopped_and_says_so(night: Night) -> None:
    with pytest.raises(NightrecError, match=r"item_knn was stopped after 0.0001 minutes: .*timeout_minutes"):
        trained(night, "item_knn", timeout_minutes=0.0001)
    assert not night.toplists("item_knn").exists()
    assert not children()


@pytest.mark.parametrize("waiting", [True, False], ids=["waiting", "training"])
def test_a_candidate_ends_with_its_night(night: Night, waiting: bool) -> None:
    over = Event()
    token = training.night_over.set(over)
    try:
        if waiting:
            with Machine().share(Machine().n_cores):  # nothing is left for the candidate
                over.set()
                with pytest.raises(NightrecError, match="popularity was stopped with its night"):
                    trained(night, "popularity")
            assert not (night.folder / "logs" / "popularity-train.log").exists()
        else:
            over.set()
            with pytest.raises(NightrecError, match="popularity was stopped with its night"):
                trained(night, "popularity")
            assert children() == []
    finally:
        training.night_over.reset(token)


def test_a_candidate_that_fails_says_why(night: Night) -> None:
    with pytest.raises(NightrecError, match="ease failed: EASE cannot invert its matrix with regularization -9"):
        trained(night, "ease", parameters={"regularization": -9.0})


def test_a_candidate_that_is_killed_is_told_from_one_that_fails(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    popen = subprocess.Popen

    def kill_at_once(*arguments: Any, **keywords: Any) -> Any:
        process = popen(*arguments, **keywords)
        os.kill(process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr(training.subprocess, "Popen", kill_at_once)
    with pytest.raises(NightrecError, match=r"item_knn was killed by signal 9, perhaps for want of memory"):
        trained(night, "item_knn")


def test_a_bug_in_a_candidate_is_one_line_and_the_log_has_the_rest(night: Night) -> None:
    (night.prepared / "holdout.parquet").write_bytes(b"not parquet")
    with pytest.raises(NightrecError, match=r"item_knn failed: .*its log is .*logs/item_knn-train.log"):
        trained(night, "item_knn")
    assert "Traceback" in (night.folder / "logs" / "item_knn-train.log").read_text()


def test_a_model_that_asks_for_a_gpu_says_where_there_is_none(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(NightrecError, match=r"item_knn asks for a GPU and this machine shows none: .*device to auto"):
        trained(night, "item_knn", device="gpu")


def test_a_process_sees_the_gpu_it_was_given_and_no_other(night: Night, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "slots", gpus=["3", "5"])
    with machine.share(1, gpus=1) as first, machine.share(1, gpus=1) as second:
        assert (first, second) == (["3"], ["5"])
    assert training.gpus_for(job(night, "item_knn"), machine) == 0  # it has no use for one
    assert training.gpus_for(job(night, "item_knn", device="gpu"), machine) == 1
    assert training.gpus_for(job(night, "item_knn", device="cpu"), machine) == 0
    assert training.gpus_for(job(night, "transformer"), machine) == 1
    assert training.gpus_for(job(night, "transformer", gpus=2), machine) == 2
    assert training.gpus_for(job(night, "transformer", gpus=2, device="cpu"), machine) == 0


def test_each_process_keeps_to_its_threads() -> None:
    assert set(training.threads(3).values()) == {"3"}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} <= set(training.threads(3))


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "recmodels.candidate" in child.cmdline()]
