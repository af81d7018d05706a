"""The process that replays nights: how it is started and asked, and that it ends with whoever asks."""

import json
from pathlib import Path

import pytest

from tasks.replay.pool import Worker
from tests.tasks.replay.replays import FIRST, spec_of


@pytest.mark.slow
def test_a_process_answers_what_it_is_asked_and_ends_when_nobody_asks_any_more(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    worker = Worker(spec, tmp_path / "spec.json", 0)
    found = worker.replay(FIRST)
    assert found["status"] == "failed", json.dumps(found)
    assert found["reason"] == f"The tables of the replay are not in {spec.data.valid}: run it again."
    process = worker.process
    assert process is not None and process.stdin is not None
    process.stdin.close()  # as the system does when whoever started it dies
    assert process.wait(60) == 0
