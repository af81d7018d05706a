"""Tonight's training jobs, and running them: the single models first, then the ensembles that are made of them."""

from collections.abc import Sequence

from flows.execution.executors import Executor
from flows.execution.results import Results
from flows.settings.site import NightConfig
from tasks.store.machine import core_count
from tasks.store.manifests import Manifest
from tasks.store.paths import Night
from tasks.train.jobs import TrainingJob
from tasks.train.members import in_turn, without_failed
from tasks.train.settings import Candidate


def jobs_for(
    night: Night, config: NightConfig, candidates: dict[str, Candidate], fresh: bool, lease: str
) -> list[TrainingJob]:
    """A training job for each candidate."""
    return [
        TrainingJob(
            store=night.store.root,
            run_date=night.run_date,
            name=name,
            candidate=candidate,
            rules=config.export.measured(config.evaluation.k),
            evaluation=config.evaluation,
            seed=config.training.seed,
            concurrency=config.training.concurrency(len(candidates), core_count()),
            fresh=fresh,
            lease=lease,
        )
        for name, candidate in candidates.items()
    ]


def train_all(executor: Executor, jobs: Sequence[TrainingJob]) -> tuple[list[TrainingJob], Results]:
    """Train and measure all candidates.

    Returns:
        The jobs as they were run (an ensemble without the members that failed), and what became of them.
    """
    single, ensembles = in_turn(jobs)
    executor.start(single)
    results = executor.wait()
    if ensembles:
        ensembles = without_failed(ensembles, results.failed)
        executor.start(ensembles)
        results |= executor.wait()
    return [*single, *ensembles], results


def refit(executor: Executor, jobs: Sequence[TrainingJob], winner: str) -> Manifest:
    """Fit the winner again on everything before the cutoff."""
    job = next(job for job in jobs if job.name == winner)
    return executor.refit(job.model_copy(update={"split": "full", "concurrency": 1}))
