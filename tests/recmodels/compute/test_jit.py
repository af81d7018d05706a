"""Work that is divided into parts."""

from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

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


def test_products_use_one_thread_within_and_as_many_as_before_afterwards() -> None:
    def of_blas() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    for n_threads in (2, 1, 2):
        with threadpool_limits(n_threads):
            with jit.one_blas_thread():
                assert of_blas() == {1}
            assert of_blas() == {n_threads}


def test_machine_code_that_was_made_ahead_is_copied_to_where_it_can_be_kept(tmp_path: Path) -> None:
    ahead, kept = tmp_path / "ahead", tmp_path / "home" / "kernels"
    (ahead / "knn").mkdir(parents=True)
    (ahead / "knn" / "kernel.nbi").write_text("code")
    jit._copy(ahead, kept)
    assert (kept / "knn" / "kernel.nbi").read_text() == "code"
    (kept / "knn" / "kernel.nbi").write_text("newer")
    jit._copy(ahead, kept)  # somebody else was done first
    assert (kept / "knn" / "kernel.nbi").read_text() == "newer"
    assert [one.name for one in kept.parent.iterdir()] == ["kernels"]
