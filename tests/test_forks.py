"""Tests that run in forks: each is reported as if it had run in the process that shows it."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.forks import run_tests
from tests.nested import run_pytest

CONFTEST = """
from tests.forks import Run
from tests.logs import of_root

def pytest_sessionstart(session):
    of_root(session.config)

def pytest_runtestloop(session):
    Run(session, lambda item: item.path).until_done(2)
    return True
"""
FIRST = """
import logging, os, warnings, pytest

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    yield [tmp_path_factory.getbasetemp()]
    print("no longer shared")

def test_passes(shared):
    shared.append(os.getpid())

def test_fails(shared):
    print("what it said")
    logging.getLogger("any").warning("what it logged")
    assert shared[0].name.startswith("fork") and shared[1:] != [os.getpid()]

@pytest.mark.skip(reason="it is cold")
def test_is_skipped(): pass

@pytest.mark.xfail(reason="it is wet")
def test_fails_as_expected(): assert not "dry"

def test_warns(shared): warnings.warn("it is dark", UserWarning)

def test_listens(caplog):
    alone = logging.getLogger("alone")
    assert not alone.propagate
    alone.warning("it is quiet")
    assert caplog.messages == ["it is quiet"]

logging.getLogger("alone").propagate = False
"""
SECOND = """
import os

def test_before(): pass
def test_ends(): os._exit(3)
def test_after(): pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
@pytest.mark.slow
def test_reports_of_forks_are_shown_and_a_process_that_ends_costs_one_test(tmp_path: Path) -> None:
    for name, source in (("conftest", CONFTEST), ("test_first", FIRST), ("test_second", SECOND)):
        (tmp_path / f"{name}.py").write_text(source)
    options = ["-rA", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull, "."]
    code, output = run_pytest(tmp_path, tmp_path / "said", *options)
    outcomes = ("PASSED", "FAILED", "SKIPPED", "XFAIL")
    said = {line.partition(" - ")[0] for line in output.splitlines() if line.startswith(outcomes)}
    assert said == {
        "PASSED test_first.py::test_passes",
        "FAILED test_first.py::test_fails",
        "SKIPPED [1] test_first.py:17: it is cold",
        "XFAIL test_first.py::test_fails_as_expected",
        "PASSED test_first.py::test_warns",
        "PASSED test_first.py::test_listens",
        "PASSED test_second.py::test_before",
        "FAILED test_second.py::test_ends",
        "PASSED test_second.py::test_after",
    }, output
    assert code == 1
    parts = ("what it said", "what it logged", "no longer shared", "it is dark", "ended with code 3", "1 warning")
    for part in (*parts, "5 passed"):
        assert part in output


def test_what_tests_share_ends_with_the_last_of_their_group() -> None:
    """pytest ends it where no test follows."""
    ran: list[tuple[str, str | None]] = []
    sent: list[int] = []
    hook = SimpleNamespace(pytest_runtest_protocol=lambda item, nextitem: ran.append((item, nextitem)))
    session: Any = SimpleNamespace(items=["a", "b", "c"], config=SimpleNamespace(hook=hook))
    reports: Any = SimpleNamespace(send=sent.append)
    run_tests(session, reports, [[0, 2], [1]])
    assert ran == [("a", "c"), ("c", None), ("b", None)]
    assert sent == [0, 2, 1]
