"""A candidate's process has its share of the machine, its time, and ends with its night."""

import os
import signal
import subprocess
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

from recmodels import candidate
from recmodels.candidate_spec import Spec
from recmodels.data.dataset import Dataset
from recmodels.engine.choice import EngineChoice
from recmodels.engine.watching import Logging, watched_by, watcher
from recmodels.errors import EngineUnavailable, NightrecError
from recmodels.supervised import threads_of
from tasks.store.machine import Machine
from tasks.store.paths import Night
from tasks.store.room import Room
from tasks.train import parts, process
from tasks.train.parts import shared_by_trainings
from tasks.train.stage import train
from tests.tasks.publishing import prepare_night
from tests.tasks.training import MANIFEST, job, trained

pytestmark = pytest.mark.slow


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def test_a_candidate_out_of_time_is_stopped_and_says_so(night: Night) -> None:
    with pytest.raises(NightrecError, match=r"item_knn was stopped after 0.0001 minutes: .*timeout_minutes"):
        trained(night, "item_knn", timeout_minutes=0.0001)
    assert not night.toplists("item_knn").exists()
    assert not children()


@pytest.mark.parametrize("waiting", [True, False], ids=["waiting", "training"])
def test_a_candidate_ends_with_its_night(night: Night, waiting: bool) -> None:
    over = Event()
    token = process.night_over.set(over)
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
        process.night_over.reset(token)


def test_a_candidate_that_fails_says_why(night: Night) -> None:
    with pytest.raises(NightrecError, match="ease failed: EASE cannot invert its matrix with regularization 0"):
        trained(night, "ease", parameters={"regularization": 0.0})


def test_a_candidate_has_the_engine_of_its_night_which_is_told_what_was_lost(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listening(Logging):
        def noted(self, sentence: str) -> None:
            heard.append(sentence)

    def losing_a_node(spec: Spec, waited: float) -> dict[str, Any]:
        watcher().noted(f"A node of {spec.engine} was lost.")
        return plain(spec, waited)

    plain, heard = candidate.run, list[str]()
    monkeypatch.setattr(candidate, "run", losing_a_node)
    choice = EngineChoice("local", cores=1)
    token = process.in_this_process.set(True)
    try:
        with watched_by(Listening()):
            one = job(night, "popularity").model_copy(update={"engine": choice})
            lists = train.fn(one, MANIFEST, MANIFEST)
    finally:
        process.in_this_process.reset(token)
    assert heard == [f"A node of {choice} was lost."]
    assert "engine_notes" not in lists["summary"]


def test_trainings_on_one_machine_share_what_they_read(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SHARED_FROM", 0)
    token = process.in_this_process.set(True)
    try:
        with shared_by_trainings(night, wanted=True):
            trained(night, "popularity")
            monkeypatch.setattr(Dataset, "load", None)  # nobody reads it again
            trained(night, "item_knn")
    finally:
        process.in_this_process.reset(token)
    assert night.toplists("item_knn").exists()


def test_a_candidate_that_is_killed_is_said_to_be(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    popen = subprocess.Popen

    def kill_at_once(*arguments: Any, **keywords: Any) -> Any:
        started = popen(*arguments, **keywords)
        os.kill(started.pid, signal.SIGKILL)
        return started

    monkeypatch.setattr(process.subprocess, "Popen", kill_at_once)
    with pytest.raises(NightrecError, match=r"item_knn was killed by signal 9, perhaps as memory ran out"):
        trained(night, "item_knn")


@pytest.mark.parametrize(
    ("free", "error", "told"),
    [(0, OSError, "No space left on device: '.*logs/item_knn-train.log'"), (10**9, NightrecError, "left no message")],
)
def test_a_candidate_that_could_not_say_why_as_the_disk_is_full_is_a_full_disk(
    night: Night, monkeypatch: pytest.MonkeyPatch, free: int, error: type[Exception], told: str
) -> None:
    popen = subprocess.Popen
    monkeypatch.setattr(process.subprocess, "Popen", lambda command, **given: popen(["false"], **given))
    monkeypatch.setattr(process.Room, "of", lambda path: Room(free, 10**10, 10**6, 10**6))
    with pytest.raises(error, match=told):
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
    assert process._gpus_for(job(night, "item_knn"), machine) == 0  # it has no use for one
    assert process._gpus_for(job(night, "item_knn", device="gpu"), machine) == 1
    assert process._gpus_for(job(night, "item_knn", device="cpu"), machine) == 0
    assert process._gpus_for(job(night, "transformer"), machine) == 1
    assert process._gpus_for(job(night, "transformer", gpus=2), machine) == 2
    assert process._gpus_for(job(night, "transformer", gpus=2, device="cpu"), machine) == 0
    without = Machine(tmp_path / "others", gpus=[])
    asks = job(night, "transformer", device="gpu")
    with pytest.raises(NightrecError, match="transformer asks for a GPU and this machine shows none"):
        process._gpus_for(asks, without)
    assert process._gpus_for(asks.model_copy(update={"engine": EngineChoice("ray")}), without) == 0  # its nodes may


def test_each_process_keeps_to_its_threads() -> None:
    assert set(threads_of(3).values()) == {"3"}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} <= set(threads_of(3))


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "recmodels.candidate" in child.cmdline()]


def test_a_cluster_that_is_lost_is_told_from_a_model_that_fails(tmp_path: Path) -> None:
    told = [process.failure("als", code, {"error": "No head."}, tmp_path / "log", tmp_path) for code in (4, 1)]
    assert [(type(error), str(error)) for error in told] == [
        (EngineUnavailable, "No head."), (NightrecError, "als failed: No head."),
    ]  # fmt: skip
