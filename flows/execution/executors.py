"""Where the candidates of a night are trained: by this machine alone, or by the workers of their pools."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Protocol

from flows.execution.local_executor import LocalExecutor
from flows.execution.results import Results
from flows.execution.work_pool_executor import WorkPoolExecutor
from flows.settings.schedule import WorkerSettings
from tasks.store.manifests import Manifest
from tasks.train.jobs import TrainingJob
from tasks.train.process import night_over


class Executor(Protocol):
    """Trains candidates whose features are in the store: `start`, then `wait`, as often as needed; then `refit`."""

    def start(self, jobs: Sequence[TrainingJob]) -> None:
        """Begin to train and measure all of them; returns at once."""

    def wait(self) -> Results:
        """Wait for all that were started last."""

    def refit(self, job: TrainingJob) -> Manifest:
        """Fit the winner, or the model of an arm, on everything."""


@contextmanager
def executor_for(workers: WorkerSettings | None) -> Iterator[Executor]:
    """The workers of the pools, or without settings for them this machine; nothing that was started outlives it."""
    executor, over = LocalExecutor() if workers is None else WorkPoolExecutor(workers), Event()
    token = night_over.set(over)
    try:
        yield executor
    finally:
        over.set()  # ends candidates that train in this process, or wait to
        night_over.reset(token)
        if isinstance(executor, WorkPoolExecutor):
            executor.cancel()
