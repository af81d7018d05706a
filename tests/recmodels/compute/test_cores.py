"""The cores that work may use."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numba
import pytest

from recmodels.compute.cores import sharing, threads


def test_the_environment_says_how_many_cores_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    assert threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "all")
    assert threads() >= 1


def test_a_share_holds_in_its_block_and_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    before = numba.get_num_threads()
    with sharing(1), ThreadPoolExecutor(1) as pool:
        assert (threads(), numba.get_num_threads()) == (1, 1)
        assert pool.submit(threads).result() == 8
    assert (threads(), numba.get_num_threads()) == (8, before)


def test_a_library_that_another_thread_is_importing_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    half = ModuleType("numba")
    half.set_num_threads = lambda n: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "numba", half)
    with sharing(1):
        assert threads() == 1
