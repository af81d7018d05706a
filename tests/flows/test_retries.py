"""What is tried again when it fails: input and output, and nothing else."""

import errno
from collections.abc import Callable

import pytest
from prefect import flow

from recmodels.errors import DataRefused
from tasks.store import stage
from tasks.store.stage import stage_task


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Callable[..., int]:
    """How often a stage is tried that fails with these errors, and then succeeds."""
    monkeypatch.setattr(stage, "PAUSES", [0.0, 0.0])

    def count(*errors: Exception, reads_and_writes: bool = True) -> int:
        left, tried = list(errors), []

        @stage_task("copy", reads_and_writes=reads_and_writes)
        def copy() -> None:
            tried.append(1)
            if left:
                raise left.pop(0)

        @flow
        def one() -> None:
            copy(return_state=True)

        one(return_state=True)
        return len(tried)

    return count


def test_a_file_system_that_is_away_for_a_moment_is_tried_again(tries: Callable[..., int]) -> None:
    away = OSError(errno.EIO, "Input/output error")
    assert tries(away, away) == 3
    assert tries(away, away, away, away) == 3
    assert tries(away, reads_and_writes=False) == 1


@pytest.mark.parametrize(
    "error", [DataRefused("no rows"), OSError(errno.ENOSPC, "No space left"), OSError(errno.EACCES, "denied")]
)
def test_what_would_only_fail_again_is_not(tries: Callable[..., int], error: Exception) -> None:
    assert tries(error) == 1
