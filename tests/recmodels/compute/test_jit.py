"""Work that is divided into parts."""

import pytest

from recmodels.compute import jit


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_each_part_is_done_once(monkeypatch: pytest.MonkeyPatch, n_threads: int) -> None:
    monkeypatch.setattr(jit, "threads", lambda: n_threads)
    done: list[int] = []
    jit.parallel_for(done.append, iter(range(100)))
    assert sorted(done) == list(range(100))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_after_a_failure_no_other_part_is_begun(monkeypatch: pytest.MonkeyPatch, n_threads: int) -> None:
    monkeypatch.setattr(jit, "threads", lambda: n_threads)
    begun: list[int] = []

    def work(part: int) -> None:
        begun.append(part)
        raise MemoryError(f"part {part}")

    with pytest.raises(MemoryError, match="part 0"):
        jit.parallel_for(work, range(100))
    assert len(begun) <= n_threads
