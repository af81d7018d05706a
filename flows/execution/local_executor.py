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
        self.training: Futures = {}

    def start(self, jobs: Sequence[TrainingJob]) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.training = {job.name: train.submit(job, *features_of(job)) for job in jobs}

    def wait(self) -> Results:
        """Wait for all; each is measured as soon as it is trained."""
        progress = Progress(len(self.training))
        evaluating: Futures = {}
        names = {future.task_run_id: name for name, future in self.training.items()}
        for future in as_completed(list(self.training.values())):
            future.wait()  # only now does it know its state
            name = names[future.task_run_id]
            if future.state.is_completed():
                prepared, _ = features_of(self.jobs[name])
                evaluating[name] = evaluate.submit(self.jobs[name], future.result(), prepared)
            progress.more()
        return partition_results(self.training | evaluating)

    def refit(self, job: TrainingJob) -> Manifest:
        return refit(job, *features_of(job))
