"""The model whose vectors are published, fitted beside the winner where that is another one."""

from collections.abc import Collection, Sequence

from flows.execution.executors import Executor
from flows.execution.training import refit_once_more
from recmodels.errors import NightrecError
from tasks.compare.decision import ComparisonSummary
from tasks.export.settings import CHAMPION, ExportSettings
from tasks.store.events import log_event
from tasks.store.manifests import Manifest
from tasks.train.jobs import TrainingJob


def fit_vectors(
    executor: Executor,
    jobs: Sequence[TrainingJob],
    comparison: Manifest,
    settings: ExportSettings,
    fitted: Collection[str] = (),
) -> None:
    """Fit what `export.vectors` names on everything before the cutoff. One that cannot be fitted costs no night.

    Args:
        executor: what fits.
        jobs: those of the comparison.
        comparison: its manifest, with the winner.
        settings: of the export.
        fitted: the models that were fitted beside the winner already.
    """
    name, winner = settings.vectors, ComparisonSummary.of_manifest(comparison).winner
    if name is None or name in (CHAMPION, winner, *fitted):
        return
    job = next((job for job in jobs if job.name == name), None)
    if job is None:  # left out tonight, which has been said
        return
    try:
        refit_once_more(executor, job.model_copy(update={"split": "full", "for_arm": True, "concurrency": 1}))
    except NightrecError as error:
        log_event(f"vectors {name}", "note", f"could not be fitted, so no vectors are published: {error}")
