"""Who watches the engine of a night: its progress and its losses, in the log and in Prefect."""

import re
from collections.abc import Callable
from threading import Lock
from time import monotonic

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext

from recmodels.engine import watching
from recmodels.messages import counted
from tasks.report.artifacts import Progress, shown
from tasks.report.engine import EngineNote, EngineSummary
from tasks.store.events import current_stage, log_event

LINE_SECONDS, ARTIFACT_SECONDS = 10.0, 2.0
"""Between two lines of the log about the same work, and two movements of its artifact."""


class NightWatcher:
    """Tells the log of a night, and Prefect, what its engine does.

    Args:
        note: is given what somebody should know.
        clock: seconds.
    """

    def __init__(self, note: Callable[[EngineNote], None], clock: Callable[[], float] = monotonic) -> None:
        self.note, self.clock = note, clock
        self.works: dict[tuple[str, str], _Work] = {}
        self.lock = Lock()  # stages run side by side

    def progressed(self, progress: watching.Progress) -> None:
        key = current_stage.get(), progress.function.rpartition(":")[2]
        with self.lock:
            if progress.done == 0:  # another map of the same function begins anew
                self.works[key] = _Work(*key, self.clock())
            work = self.works.setdefault(key, _Work(*key, self.clock()))
        work.progressed(progress, self.clock())
        if progress.found and progress.done == progress.buckets:
            log_event(key[0] or "engine", "note", progress.in_words)

    def noted(self, sentence: str) -> None:
        stage = current_stage.get()
        self.note(EngineNote(stage=stage, message=sentence))
        log_event(stage or "engine", "note", sentence)


class _Work:
    """What a function does in a stage: spoken of now and then while it takes long, not at all if it does not."""

    def __init__(self, stage: str, function: str, now: float) -> None:
        self.stage, self.function = stage, function
        self.said = self.moved = now
        self.artifact: Progress | None = None

    def progressed(self, progress: watching.Progress, now: float) -> None:
        ended = progress.done >= progress.buckets
        if not ended and now - self.said >= LINE_SECONDS:
            self.said = now
            text = f"{self.function}: {progress.done:,} of {counted(progress.buckets, 'bucket')}"
            log_event(self.stage or "engine", "progress", text)
        if now - self.moved >= ARTIFACT_SECONDS or (ended and self.artifact):
            self.moved = now
            self._show(progress)

    def _show(self, progress: watching.Progress) -> None:
        if FlowRunContext.get() is None:  # Prefect would start a server for the artifact alone
            return
        if self.artifact is None:
            key = re.sub("[^a-z0-9]+", "-", f"progress-{self.stage}-{self.function}".lower())
            self.artifact = Progress(progress.buckets, key, f"{self.stage}, {self.function}: buckets")
        self.artifact.more(progress.done - self.artifact.done)


def show_engine(summary: EngineSummary) -> None:
    """What the night runs on, with a link to where it is looked at."""
    if FlowRunContext.get() is None:
        return
    link = f"\n\n[Its dashboard]({summary.dashboard})" if summary.dashboard else ""
    text = f"# Engine\n\n{summary.sentence}{link}\n"
    shown(lambda: create_markdown_artifact(key="engine", markdown=text, description="What the night runs on"))
