"""Candidates trained by this machine, several at a time, each in a process of its own."""

from collections.abc import Sequence

from prefect.futures import as_completed

from flows.execution.results import Futures, Results, partition_results
from flows.train_model import features_of
from tasks.evaluate.stage import evaluate
from tasks.report.artifacts import Progress
from tasks.store.manifests import Manifest
from tasks.train.jobs import TrainingJob
from tasks.train.stage import refit, train


class LocalExecutor:
    """Trains candidates as tasks of the night's own flow."""

    def __init__(self) -> None:
        self.jobs: dict[str, TrainingJob] = {}
        self.waiting: list[TrainingJob] = []
        self.training: Futures = {}

    def start(self, jobs: Sequence[TrainingJob]) -> None:
        """Begin with as many as share the machine; the others follow in their order as these end.

        Those that nodes train take no part of the machine: they come on top.
        """
        self.jobs = {job.name: job for job in jobs}
        self.waiting, self.training = list(jobs), {}
        for _ in range(max((job.concurrency for job in jobs), default=0) + sum(job.for_a_node for job in jobs)):
            self._begin_next()

    def _begin_next(self) -> Futures:
        """Begin with the next one that waits, if there is any: it, by its name."""
        if not self.waiting:
            return {}
        job = self.waiting.pop(0)
        begun = {job.name: train.submit(job, *features_of(job))}
        self.training |= begun
        return begun

    def wait(self) -> Results:
        """Wait for all; each is measured as soon as it is trained."""
        progress = Progress(len(self.jobs))
        evaluating: Futures = {}
        running = dict(self.training)
        while running:
            future = next(iter(as_completed(list(running.values()))))
            future.wait()  # only now does it know its state
            name = next(name for name, one in running.items() if one is future)
            del running[name]
            running |= self._begin_next()
            if future.state.is_completed():
                prepared, _ = features_of(self.jobs[name])
                evaluating[name] = evaluate.submit(self.jobs[name], future.result(), prepared)
            progress.more()
        return partition_results(self.training | evaluating)

    def refit(self, job: TrainingJob) -> Manifest:
        return refit(job, *features_of(job))
