"""Tonight's jobs as this night's size allows: in a good order, leaner where they are too large, or left out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from recmodels.base import Recommender
from recmodels.compute.memory import total
from recmodels.registry import kind_of
from tasks.compare.champion import full_parameters
from tasks.estimates.counts import Counts
from tasks.estimates.estimator import Estimator
from tasks.estimates.formulas import ModelCost
from tasks.estimates.routing import Limits, Route, route
from tasks.store.events import log_event
from tasks.store.machine import core_count, gpu_ids
from tasks.store.manifests import Manifest
from tasks.store.records import fitting
from tasks.store.summaries import PreparedSummary
from tasks.train.jobs import TrainingJob
from tasks.train.members import is_ensemble, with_recipes
from tasks.train.settings import CPU_POOL


@dataclass(frozen=True)
class Sized:
    """The jobs that are run, in the order of the candidates; the seconds that each takes; and why others are not."""

    jobs: list[TrainingJob]
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def in_order(self, jobs: Sequence[TrainingJob]) -> list[TrainingJob]:
        """Some of the jobs in the order in which they are to begin, so that the last to end ends early.

        The longest first where several are trained at a time. One at a time, the shortest: each is measured beside the
        training of the next, and all but the last are by then (Johnson, "Optimal two- and three-stage production
        schedules with setup times included", Naval Research Logistics Quarterly 1954).
        """
        several = any(job.concurrency > 1 or job.for_a_node for job in jobs)
        return sorted(jobs, key=lambda job: self.seconds.get(job.name, 0.0), reverse=several)


def sized(jobs: Sequence[TrainingJob], prepared: Manifest, needed: Collection[str], *, here: bool) -> Sized:
    """Hold the jobs against the estimates, and say in the log what becomes of those that are too large.

    Args:
        jobs: all of tonight's.
        prepared: the manifest of the interactions.
        needed: the names of those that are tried in any case.
        here: whether they are trained on this machine; the memory of others is known where a setting says it.
    """
    summary = fitting(prepared["summary"], PreparedSummary)
    if not jobs or summary is None:
        return Sized(list(jobs))
    counts, night = Counts.of_prepared(summary, total()), jobs[0].night
    estimator = Estimator.of_store(night.store, core_count(), before=night)
    memory = {job.name: total() if here and not job.for_a_node else job.memory for job in jobs}
    routes = {job.name: _routed(job, estimator, counts, memory[job.name], job.name in needed) for job in jobs}
    routes |= _twins(jobs, routes)
    changed = {name: one.candidate for name, one in routes.items() if one.candidate is not None and one.why}
    kept = [
        with_recipes(job, changed) if is_ensemble(job) else job.model_copy(update={"candidate": candidate})
        for job in jobs
        if (candidate := routes[job.name].candidate) is not None
    ]
    for name, one in routes.items():
        if one.why is not None:
            log_event(f"train {name}", "note", one.why)
    threads = {job.name: _threads(job) for job in kept}
    seconds = {job.name: routes[job.name].cost.candidate(threads[job.name]) for job in kept}
    left_out = {name: (one.why or "").removeprefix("is ") for name, one in routes.items() if one.candidate is None}
    return Sized(kept, seconds, left_out)


def pairs_of(prepared: Manifest) -> int:
    """How many pairs of user and item there are; 0 where the manifest does not say it."""
    summary = fitting(prepared["summary"], PreparedSummary)
    return 0 if summary is None else summary["full"]["rows"]


def _twins(jobs: Sequence[TrainingJob], routes: dict[str, Route]) -> dict[str, Route]:
    """Leaner forms that another candidate is already, as the champion may be: they are not trained twice."""
    recipes = {
        job.name: (job.recommender, full_parameters(job.recommender, candidate.parameters))
        for job in jobs
        if (candidate := routes[job.name].candidate) is not None
    }
    plain = {name: recipe for name, recipe in recipes.items() if not routes[name].why}
    twins = {
        name: next((other for other, recipe in plain.items() if recipe == recipes[name]), None)
        for name in recipes.keys() - plain.keys()
    }
    return {
        name: Route(None, routes[name].cost, f"is left out: as it would have to be trained, it is {other}")
        for name, other in twins.items()
        if other is not None
    }


def _threads(job: TrainingJob) -> int:
    return max(1, core_count() // job.concurrency)


def _routed(job: TrainingJob, estimator: Estimator, counts: Counts, memory: int | None, needed: bool) -> Route:
    cost_of = partial(_cost, job, estimator, counts)
    return route(job.name, job.candidate, cost_of, Limits(memory, _threads(job)), needed)


def _cost(job: TrainingJob, estimator: Estimator, counts: Counts, model: Recommender) -> ModelCost:
    """What a job takes; the times of one that may compute on a GPU are not known."""
    cost = estimator.model(job.name, counts, model)
    one = job.candidate
    elsewhere = one.workplace != CPU_POOL
    on_gpu = one.device != "cpu" and kind_of(job.recommender).uses_gpu and (elsewhere or bool(gpu_ids()))
    return replace(cost, known=cost.known and not on_gpu)
