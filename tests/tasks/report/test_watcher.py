"""What the engine does, in the log of the night and in Prefect."""

import logging
from typing import Any

import pytest

from recmodels.engine.watching import Progress
from tasks.report import watcher
from tasks.report.engine import EngineNote
from tasks.report.watcher import NightWatcher
from tasks.store.events import current_stage, event_log, logged


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines() -> Any:
    found: list[tuple[str, str, str]] = []

    class Collect(logging.Handler):
        def emit(self, record: Any) -> None:
            found.append((record.label, record.event, record.text))

    handler = Collect()
    event_log.addHandler(handler)
    yield found
    event_log.removeHandler(handler)


def test_a_stage_is_known_to_what_happens_in_it() -> None:
    with logged("prepare"):
        assert current_stage.get() == "prepare"
    assert current_stage.get() == ""


def test_long_work_has_a_line_now_and_then_and_short_work_none(lines: list[Any]) -> None:
    clock = Clock()
    watching = NightWatcher(pytest.fail, clock)
    with logged("prepare"):
        for done in range(41):
            watching.progressed(Progress("tasks.prepare.ranges:merge", done, 40))
            clock.now += 1
        watching.progressed(Progress("tasks.prepare.ranges:split", 0, 2))
        watching.progressed(Progress("tasks.prepare.ranges:split", 2, 2))
    said = [text for label, event, text in lines if event == "progress" and label == "prepare"]
    assert said == [f"merge: {done} of 40 buckets" for done in (10, 20, 30)]


def test_work_that_goes_on_says_how_much_was_made_before(lines: list[Any]) -> None:
    watching = NightWatcher(pytest.fail)
    with logged("ingest"):
        for done in (0, 1200, 2000):
            watching.progressed(Progress("tasks.ingest.part_reading:read_part", done, 2000, found=1200 if done else 0))
    assert ("ingest", "note", "read_part: 1,200 of 2,000 buckets had been made") in lines


def test_a_loss_is_a_note_of_the_stage_it_happened_in(lines: list[Any]) -> None:
    notes: list[EngineNote] = []
    with logged("features train"):
        NightWatcher(notes.append).noted("The node 10.0.0.7 was lost.")
    assert notes == [EngineNote(stage="features train", message="The node 10.0.0.7 was lost.")]
    assert ("features train", "note", "The node 10.0.0.7 was lost.") in lines


def test_work_that_takes_seconds_has_an_artifact_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[tuple[str, int]] = []

    class Artifact:
        def __init__(self, total: int, key: str, what: str) -> None:
            self.key, self.done = key, 0

        def more(self, n: int) -> None:
            self.done += n
            moved.append((self.key, self.done))

    monkeypatch.setattr(watcher, "Progress", Artifact)
    monkeypatch.setattr(watcher, "FlowRunContext", type("Run", (), {"get": staticmethod(lambda: "a run")}))
    clock = Clock()
    watching = NightWatcher(pytest.fail, clock)
    with logged("train als"):
        for done in range(5):
            watching.progressed(Progress("recmodels.factors.buckets:half_step", done, 4))
            clock.now += 1.5
        watching.progressed(Progress("recmodels.factors.buckets:product", 0, 1))
        watching.progressed(Progress("recmodels.factors.buckets:product", 1, 1))
    assert moved == [("progress-train-als-half-step", done) for done in (2, 4)]
