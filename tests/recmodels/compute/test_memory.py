import platform
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import psutil
import pytest

from recmodels.compute import memory
from recmodels.errors import ConfigError, NightrecError


def test_the_peak_covers_what_has_been_held() -> None:
    held = np.ones(2**24)  # 128 MiB
    assert memory.peak() > held.nbytes


@pytest.mark.slow
def test_the_peak_of_a_block_is_its_own() -> None:
    """Three blocks: with much memory, with little after it, and one around both."""
    with memory.peak_within() as both:
        with memory.peak_within() as much:
            held = np.ones(2**25)  # 256 MiB
        size = held.nbytes
        del held
        with memory.peak_within() as little:
            pass
    if platform.system() == "Linux":
        assert little.n_bytes < much.n_bytes - size // 2
    assert memory.peak() >= both.n_bytes >= much.n_bytes > size


def test_more_than_there_is_is_refused_with_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 3 * 2**30)
    memory.require(3 * 2**30, "ease", 10)
    with pytest.raises(
        NightrecError, match=r"ease needs about 4\.0 GiB of memory for 10 items, 3\.0 GiB are available"
    ):
        memory.require(4 * 2**30, "ease", 10)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("8GiB", 8 * 2**30),
        ("8 GB", 8 * 10**9),
        ("8gi", 8 * 2**30),
        ("1.5GiB", 3 * 2**29),
        ("600000KB", 600_000_000),
        ("512MiB", 2**29),
        (2**30, 2**30),
        ("1073741824", 2**30),
        ("2TB", 2 * 10**12),
    ],
)
def test_amounts_of_memory_are_read(text: str | int, n_bytes: int) -> None:
    assert memory.size_of(text) == n_bytes


@pytest.mark.parametrize("text", ["", "much", "8G", "-8GiB", "8 GiBs", "50%", "1e9", "inf", "nan", True, None])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount of memory; write it like 8GiB"):
        memory.size_of(text)


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="too little for a night; give at least 512MiB"):
        memory.size_of("511MiB")


def test_plans_keep_to_the_least_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    there = memory.total()
    with memory.at_most(2**30):
        assert memory.total() == 2**30
        assert memory.available() <= 2**30 - psutil.Process().memory_info().rss // 2
        with memory.at_most(2**40):
            assert memory.total() == 2**30
        with memory.at_most(None), memory.at_most(2**29):
            assert memory.total() == 2**29
        assert memory.total() == 2**30
    assert memory.total() == there
    with memory.at_most(2**50):
        assert memory.total() == there


def test_an_environment_that_says_nonsense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.VARIABLE, "lots")
    with pytest.raises(ConfigError, match="NIGHTREC_MEMORY is 'lots': it is no amount"):
        memory.total()


def test_some_memory_is_available() -> None:
    assert 0 < memory.available() < 2**50


HEAPS = """
import ctypes, sys, tempfile, threading
from recmodels.compute import memory
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.fdopen.restype = ctypes.c_void_p, ctypes.c_void_p
if sys.argv[1] == "one":
    memory.in_one_arena()
together = threading.Barrier(4)
def work():
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with tempfile.TemporaryFile() as file:
    stream = libc.fdopen(file.fileno(), b"w")
    libc.malloc_info(0, ctypes.c_void_p(stream))
    libc.fflush(ctypes.c_void_p(stream))
    file.seek(0)
    print(file.read().count(b"<heap nr="))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
@pytest.mark.slow
def test_threads_share_the_first_heap() -> None:
    def heaps(kind: str) -> int:
        found = subprocess.run([sys.executable, "-c", HEAPS, kind], capture_output=True, text=True, check=True)
        return int(found.stdout)

    assert heaps("several") > 1
    assert heaps("one") == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
@pytest.mark.parametrize("give", [memory.give_back, memory.trim])
def test_what_is_free_is_given_back(give: Callable[[], None]) -> None:
    """Pieces that are too small for a mapping of their own, below one that is still held."""
    pieces = [bytearray(60_000) for _ in range(1_000)]
    held = pieces.pop()
    pieces.clear()
    before = psutil.Process().memory_info().rss
    give()
    assert before - psutil.Process().memory_info().rss > 30_000_000
    assert len(held) == 60_000
