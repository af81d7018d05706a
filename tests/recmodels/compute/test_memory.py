import platform

import numpy as np
import psutil
import pytest

from recmodels.compute import memory
from recmodels.errors import NightrecError


def test_the_peak_covers_what_has_been_held() -> None:
    held = np.ones(2**24)  # 128 MiB
    assert memory.peak() > held.nbytes


def test_more_than_there_is_is_refused_with_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 3 * 2**30)
    memory.require(3 * 2**30, "ease", 10)
    with pytest.raises(
        NightrecError, match=r"ease needs about 4\.0 GiB of memory for 10 items, 3\.0 GiB are available"
    ):
        memory.require(4 * 2**30, "ease", 10)


def test_some_memory_is_available() -> None:
    assert 0 < memory.available() < 2**50


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
def test_what_is_free_is_given_back() -> None:
    """Pieces that are too small for a mapping of their own, below one that is still held."""
    pieces = [bytearray(60_000) for _ in range(1_000)]
    held = pieces.pop()
    pieces.clear()
    before = psutil.Process().memory_info().rss
    memory.give_back()
    assert before - psutil.Process().memory_info().rss > 30_000_000
    assert len(held) == 60_000
