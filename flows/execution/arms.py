"""The models of arms: fitted beside the winner, and without what cannot be fitted."""

from collections.abc import Sequence

from flows.execution.executors import Executor
from flows.execution.training import refit_once_more
from recmodels.errors import NightrecError
from tasks.arms.settings import ArmsSettings
from tasks.arms.tonight import ArmsTonight, arms_tonight
from tasks.compare.decision import ComparisonSummary
from tasks.store.events import log_event
from tasks.store.manifests import Manifest
from tasks.train.jobs import TrainingJob


def fit_arms(
    executor: Executor, jobs: Sequence[TrainingJob], comparison: Manifest, settings: ArmsSettings
) -> ArmsTonight | None:
    """Fit what the arms need on everything before the cutoff. An arm whose model cannot be fitted costs no night.

    Args:
        executor: what fits.
        jobs: those of the comparison.
        comparison: its manifest, with the winner.
        settings: of arms.

    Returns:
        The arms as they are tonight; None where a site has none.
    """
    if not settings.groups:
        return None
    candidates = {job.name: job.candidate for job in jobs}
    found = ComparisonSummary.of_manifest(comparison)
    arms, candidates = arms_tonight(settings, found, candidates, jobs[0].night)
    known, failed = {job.name: job for job in jobs}, {}
    for name in arms.models:
        job = known.get(name) or jobs[0].model_copy(update={"name": name, "without": [], "attempt": 1})
        update = {"candidate": candidates[name], "split": "full", "for_arm": True, "concurrency": 1}
        try:
            refit_once_more(executor, job.model_copy(update=update))
        except NightrecError as error:
            failed[name] = f"its model {name} could not be fitted: {error}"
            log_event(f"arm {name}", "note", f"could not be fitted; its users get the lists of main: {error}")
    return arms.without(failed)
