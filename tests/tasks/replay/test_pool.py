"""Nights by processes that last: what they answer, and what is said of one that died or took too long."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest

from tasks.replay.pool import Worker, outcomes
from tasks.train.settings import Candidate
from tests.tasks.replay.replays import spec_of

DAY = date(2026, 1, 31)
ANSWERS = """
import json, os, signal, sys, time
for line in sys.stdin:
    day = line.strip()
    if day.endswith("-01"): os.kill(os.getpid(), signal.SIGKILL)
    if day.endswith("-02"): time.sleep(60)
    if day.endswith("-10"): sys.exit(3)
    print(json.dumps({"run_date": day, "status": "measured", "pid": os.getpid()}), flush=True)
"""


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that answer at once, but for the first of a month, when they die, and the second, when they hang."""

    def start(self: Worker) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-S", "-c", ANSWERS]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(Worker, "start", start)


def test_every_night_is_answered_once_by_a_process_that_lasts(tmp_path: Path) -> None:
    days = [date(2026, 2, day) for day in range(3, 9)]
    found = list(outcomes(spec_of(tmp_path), tmp_path / "spec.json", days))
    assert sorted(one["run_date"] for one in found) == [str(day) for day in days]
    assert 1 <= len({one["pid"] for one in found}) <= 2


def test_a_night_whose_process_dies_has_failed_and_the_next_has_another(tmp_path: Path) -> None:
    worker = Worker(spec_of(tmp_path), tmp_path / "spec.json", 0)
    died = worker.replay(date(2026, 2, 1))
    assert died["status"] == "failed" and "was killed by signal 9, perhaps as memory ran out" in died["reason"]
    assert worker.replay(DAY)["status"] == "measured"
    worker.log.parent.mkdir(parents=True)
    worker.log.write_text("Traceback\nImportError: no torch\n")
    assert worker.replay(date(2026, 2, 10))["reason"] == "its process ended with code 3: ImportError: no torch"
    worker.end()
    assert worker.replay(DAY)["reason"] == "the replay was stopped"


def test_a_night_that_takes_longer_than_its_models_may_is_given_up(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, candidates={"als": Candidate(timeout_minutes=30)})
    worker = Worker(spec, tmp_path / "spec.json", 0)
    assert worker.limit == 2 * 30 * 60 + 3600
    worker.limit = 0.01
    with patch("tasks.replay.pool.LOOK", 0.01):
        found = worker.replay(date(2026, 2, 2))
    assert found["status"] == "failed" and "longer than all its models may" in found["reason"]
