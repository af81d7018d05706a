"""A whole replay: one process at a time is at it."""

import fcntl
from pathlib import Path

import pytest

from recmodels.errors import NightrecError
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.replay.run import LOCK, is_running, run_replay
from tests.tasks.replay.replays import spec_of


def test_a_second_process_is_turned_away_and_the_replay_is_known_to_run(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    assert not is_running(spec.store)
    spec.root.mkdir(parents=True)
    with (spec.root / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_running(spec.store)
        with pytest.raises(NightrecError, match="Another process is at the replay test: wait for it"):
            run_replay(spec, Inputs(interactions=TableInput(path=str(tmp_path / "log.csv"))))
    assert not is_running(spec.store)
