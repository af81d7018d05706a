"""Who is told of the work."""

import logging
from pathlib import Path

import pytest

from recmodels.engine.local import LocalEngine
from recmodels.engine.watching import Progress, watched_by, watcher
from recmodels.engine.work import Bucket, Work


class Recording:
    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.notes: list[str] = []

    def progressed(self, progress: Progress) -> None:
        assert progress.function.endswith(":nothing")
        self.seen.append((progress.done, progress.buckets))

    def noted(self, sentence: str) -> None:
        self.notes.append(sentence)


def nothing(work: Work) -> None:
    pass


def test_progress_is_told_by_bucket(tmp_path: Path) -> None:
    recording = Recording()
    with watched_by(recording):
        LocalEngine().map(nothing, [Bucket(f"b{n}") for n in range(3)], tmp_path, code="1")
    LocalEngine().map(nothing, [Bucket("b3")], tmp_path, code="1")
    assert recording.seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_notes_are_logged_where_nobody_watches(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        watcher().noted("A node was lost.")
    assert caplog.messages == ["A node was lost."]
