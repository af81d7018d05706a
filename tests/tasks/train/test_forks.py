"""Candidates that are forked are as those that are started: trained, killed, and ended with their night."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numba
import psutil
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_info

from recmodels import candidate_forks
from recmodels.compute import cores
from recmodels.errors import NightrecError
from recmodels.knn.item_knn import ItemKNN
from recmodels.supervised import threads_of
from tasks.store.files import write_json
from tasks.train import forks, process
from tasks.train.forks import Forks
from tests.tasks.publishing import prepare_night
from tests.tasks.training import job, trained

pytestmark = pytest.mark.slow


class Beside:
    """What forks candidates, itself a fork of this process, which has imported everything."""

    def __init__(self, command: Sequence[str], *, env: Any, pass_fds: Sequence[int], **_: Any) -> None:
        assert command[1:3] == ["-m", forks.PROGRAM]

        def run() -> None:
            os.environ.update(env)
            sys.stdout = sys.stderr = os.fdopen(2, "w", closefd=False)  # as in a program
            candidate_forks.main(command[3:])

        self.process = multiprocessing.get_context("fork").Process(target=run)
        self.process.start()
        self.kill, self.wait, self.pid = self.process.kill, self.process.join, self.process.pid


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks.subprocess, "Popen", Beside)


@pytest.fixture
def begun() -> Iterator[Forks]:
    one = Forks()
    one.begin(["popularity", "no such model"], {"A": "1"})
    yield one
    one.close()


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A specification that nobody writes: whoever reads it waits."""
    os.mkfifo(tmp_path / "spec.json")
    return tmp_path / "spec.json"


def test_candidates_of_a_night_are_forked_as_long_as_it_wants_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = prepare_night(tmp_path)
    monkeypatch.setattr(ItemKNN, "_fit", lambda *_: signal.pause())
    with forks.forked_trainings(wanted=True) as these:
        process.begin_forks(these, [job(night, "popularity")])
        pid = trained(night, "popularity")["summary"]["pid"]
        assert pid not in (os.getpid(), these._process.pid)  # type: ignore[union-attr]
        with pytest.raises(NightrecError, match="ease failed: EASE cannot invert its matrix"):
            trained(night, "ease", parameters={"regularization": 0.0})
        with pytest.raises(NightrecError, match=r"item_knn was stopped after 1e-06 minutes"):
            trained(night, "item_knn", timeout_minutes=1e-6)
    assert not multiprocessing.active_children()


def test_nothing_is_started_for_trainings_that_are_done_or_not_wanted(tmp_path: Path) -> None:
    night = prepare_night(tmp_path)
    for wanted, done in ((False, False), (True, True)):
        if done:
            night.toplists("popularity").mkdir(parents=True)
        with forks.forked_trainings(wanted) as these:
            process.begin_forks(these, [job(night, "popularity")])
            assert these._process is None


def test_a_fork_that_is_killed_says_so(begun: Forks, waiting: Path) -> None:
    with (waiting.parent / "log").open("wb") as log:
        one = begun.fork(str(waiting), log, {"A": "1"})
    assert one is not None
    assert one.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    one.kill()
    assert one.wait(30) == one.poll() == -signal.SIGKILL
    one.kill()  # it is gone


def test_a_fork_ends_when_nobody_waits_for_it_any_more(begun: Forks, waiting: Path) -> None:
    with (waiting.parent / "log").open("wb") as log:
        one = begun.fork(str(waiting), log, {"A": "1"})
    assert one is not None
    child = psutil.Process(one.pid)
    one._told.close()
    child.wait(30)


def test_another_environment_wants_a_process_of_its_own(begun: Forks, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        assert begun.fork("spec.json", log, {"A": "2"}) is None
        begun._process.kill()  # type: ignore[union-attr]
        begun._process.wait()  # type: ignore[union-attr]
        assert begun.fork("spec.json", log, {"A": "1"}) is None  # as it was killed


def test_a_fork_may_have_other_threads(begun: Forks, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        one = begun.fork("no spec.json", log, {"A": "1"} | threads_of(2))
    assert one is not None
    assert one.wait(30) == 2


@pytest.mark.parametrize("n", [1, 2])
def test_what_was_imported_takes_the_threads_of_a_fork(n: int) -> None:
    def take() -> None:
        candidate_forks.take(threads_of(n))
        blas = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
        there = (blas, numba.get_num_threads(), pa.cpu_count(), cores.threads())
        os._exit(0 if there == ({n}, min(n, numba.config.NUMBA_NUM_THREADS), n, n) else 1)

    child = multiprocessing.get_context("fork").Process(target=take)
    child.start()
    child.join()
    assert child.exitcode == 0


def test_what_a_fork_says_is_in_its_log(begun: Forks, tmp_path: Path) -> None:
    write_json(tmp_path / "spec.json", {})
    with (tmp_path / "log").open("wb") as log:
        one = begun.fork(str(tmp_path / "spec.json"), log, {"A": "1"})
    assert one is not None
    assert one.wait(30) == 2
    assert "is no specification of a candidate" in (tmp_path / "log").read_text()
