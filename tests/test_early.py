"""Tests that begin while others are collected: they are reported as all others, once."""

import os
import sys
from pathlib import Path

import pytest

from tests.nested import run_pytest

CONFTEST = """
from tests.early import Early
from tests.forks import Run

begun = []

def pytest_collection(session):
    begun.append(Early(session, "early", lambda item: "own" not in item.name))

def pytest_runtestloop(session):
    Run(session, lambda item: item.path).until_done(2, begun[0])
    return True
"""
EARLY = """
import os
from pathlib import Path

def test_begins(): Path("begun").touch()
def test_fails(): assert not os.environ["PYTEST_XDIST_WORKER"]
def test_in_its_own_group(): assert os.environ["PYTEST_XDIST_WORKER"] != "fork0"
"""
ENDS = """
import os

def test_before(): pass
def test_ends(): os._exit(3)
"""
LATE = """
from pathlib import Path
from tests.waiting import until

until("an early test runs", Path("begun").exists)

def test_late(): pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
@pytest.mark.parametrize("ends", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_they_run_before_all_is_collected_and_by_others_if_their_process_ends(tmp_path: Path, ends: bool) -> None:
    (tmp_path / "early").mkdir()
    sources = {"conftest": CONFTEST, "early/test_early": EARLY, "test_late": LATE} | (
        {"early/test_z": ENDS} if ends else {}
    )
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    options = ["-rA", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull, "."]
    code, output = run_pytest(tmp_path, tmp_path / "said", *options)
    said = [line.partition(" - ")[0] for line in output.splitlines() if line.startswith(("PASSED", "FAILED"))]
    assert sorted(said) == [
        "FAILED early/test_early.py::test_fails",
        *(["FAILED early/test_z.py::test_ends"] if ends else []),
        "PASSED early/test_early.py::test_begins",
        "PASSED early/test_early.py::test_in_its_own_group",
        *(["PASSED early/test_z.py::test_before"] if ends else []),
        "PASSED test_late.py::test_late",
    ], output
    assert code == 1 and f"{2 if ends else 1} failed" in output
