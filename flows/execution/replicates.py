"""Replicates of the winner, fitted on other halves of the users, which propose what it may rank highest."""

from collections.abc import Sequence

from flows.execution.executors import Executor
from recmodels.errors import NightrecError
from tasks.compare.decision import ComparisonSummary
from tasks.exploration.settings import ExplorationSettings
from tasks.store.events import log_event
from tasks.store.manifests import Manifest
from tasks.train.jobs import TrainingJob

ENOUGH = 2
"""So many that fail are enough: lists do not wait for the same to happen to all others."""


def fit_replicates(
    executor: Executor, jobs: Sequence[TrainingJob], comparison: Manifest, settings: ExplorationSettings
) -> list[int]:
    """Fit what the settings of exploration want of them. One that cannot be fitted is left out, and costs no night.

    Returns:
        The numbers of those that are there, from 1.
    """
    if settings.way != "thompson" or not settings.epsilon:
        return []
    winner = ComparisonSummary.of_manifest(comparison).winner
    job = next(job for job in jobs if job.name == winner)
    fitted: list[int] = []
    failed = 0
    for number in range(1, settings.replicates + 1):
        update = {"split": "full", "replicate": number, "concurrency": 1}
        try:
            executor.refit(job.model_copy(update=update))
        except (NightrecError, OSError, MemoryError) as error:
            failed += 1
            log_event(f"replicate {winner}-{number}", "note", f"could not be fitted, and proposes nothing: {error}")
            if failed == ENOUGH:
                break
            continue
        fitted.append(number)
    if not fitted:
        log_event("exploration", "note", f"Nothing is explored tonight: no replicate of {winner} could be fitted")
    return fitted
