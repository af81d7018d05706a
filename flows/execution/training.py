"""Tonight's training jobs, and running them: the single models first, then the ensembles that are made of them."""

from collections.abc import Callable, Collection, Sequence

from flows.execution.executors import Executor
from flows.execution.results import Results
from flows.execution.sizing import Sized
from flows.settings.site import NightConfig
from recmodels.engine.choice import EngineChoice
from recmodels.errors import EngineUnavailable, NightrecError
from tasks.compare.decision import ComparisonSummary, Incumbent, Verdict
from tasks.compare.gate import admit
from tasks.compare.stage import with_figures
from tasks.store.events import log_event
from tasks.store.machine import core_count
from tasks.store.manifests import Manifest
from tasks.store.paths import Night
from tasks.train.jobs import TrainingJob
from tasks.train.members import in_turn, without_failed
from tasks.train.settings import Candidate


def jobs_for(
    night: Night,
    config: NightConfig,
    candidates: dict[str, Candidate],
    fresh: bool,
    lease: str,
    engine: EngineChoice | None = None,
    pairs: int = 0,
) -> list[TrainingJob]:
    """A training job for each candidate; `pairs` of user and item are all that it may be trained on."""
    return [
        TrainingJob(
            store=night.store.root,
            run_date=night.run_date,
            name=name,
            candidate=candidate,
            rules=config.export.measured(config.evaluation.k),
            evaluation=config.evaluation,
            seed=config.training.seed,
            concurrency=config.training.concurrency(len(candidates), core_count(), pairs),
            memory=config.memory,
            fresh=fresh,
            warm_nights=config.training.warm_nights,
            warm_changed=config.training.warm_changed,
            lease=lease,
            engine=engine,
        )
        for name, candidate in candidates.items()
    ]


def indispensable(
    candidates: dict[str, Candidate], incumbent: Incumbent | None, chosen: Collection[str | None]
) -> set[str]:
    """The candidates that the night has no good ending without: the champion, the chosen and the required ones."""
    required = {name for name, candidate in candidates.items() if candidate.required}
    return required | {name for name in (*chosen, incumbent and incumbent.name) if name in candidates}


def train_all(executor: Executor, tonight: Sized, needed: Collection[str] = ()) -> tuple[list[TrainingJob], Results]:
    """Train and measure all candidates. One that is `needed` and fails is tried once more, with the machine to itself.

    Returns:
        The jobs as they were run (an ensemble without the members that failed), and what became of all candidates.
    """
    single, ensembles = in_turn(tonight.jobs)
    results = Results({}, tonight.left_out) | _train(executor, single, needed, tonight)
    if ensembles:
        ensembles = without_failed(ensembles, results.failed)
        results |= _train(executor, ensembles, needed, tonight)
    return [*single, *ensembles], results


def _train(executor: Executor, jobs: Sequence[TrainingJob], needed: Collection[str], tonight: Sized) -> Results:
    executor.start(tonight.in_order(jobs))
    found = executor.wait()
    measured, failed = with_figures(found.measured, found.failed)
    for job in (job for job in jobs if job.name in needed and job.name in failed):
        log_event(f"train {job.name}", "note", f"is tried once more, as the night needs it: {failed[job.name]}")
        flawed = job.name in found.measured  # is done, and would be skipped
        executor.start([_again(job.model_copy(update={"fresh": job.fresh or flawed}))])
        second = executor.wait()
        now, still = with_figures(second.measured, second.failed)
        measured, failed = measured | now, {name: why for name, why in failed.items() if name not in now} | still
    return Results({job.name: measured[job.name] for job in jobs if job.name in measured}, failed)


def refit(
    executor: Executor, jobs: Sequence[TrainingJob], comparison: Manifest, judge: Callable[..., Manifest]
) -> tuple[Manifest, Manifest]:
    """Fit the winner again on everything before the cutoff; where that cannot be done, whom the gate names instead.

    Args:
        executor: what fits it.
        jobs: those of the comparison.
        comparison: the manifest of the comparison.
        judge: compares again, with the models that could not be fitted as `unfit`.

    Returns:
        The manifests of the comparison that holds, and of the fitted model.

    Raises:
        EngineUnavailable: the night has no cluster any more.
        GateRefused: nothing may be published.
        NightrecError: the winner was chosen by a person and cannot be fitted, or no model can.
    """
    unfit: dict[str, str] = {}
    while True:
        admit(comparison)
        found = ComparisonSummary.of_manifest(comparison)
        job = next(job for job in jobs if job.name == found.winner)
        try:
            once = found.gate.verdict is Verdict.UNMEASURED  # it has failed twice tonight, maybe by its time limit
            job = job.model_copy(update={"split": "full", "concurrency": 1})
            return comparison, executor.refit(job) if once else refit_once_more(executor, job)
        except EngineUnavailable:
            raise
        except NightrecError as error:
            if found.gate.verdict in (Verdict.FORCED, Verdict.PINNED):
                raise
            unfit[job.name] = str(error)
            log_event(f"refit {job.name}", "note", f"could not be fitted; another model is looked for: {error}")
        comparison = judge(unfit=unfit)


def refit_once_more(executor: Executor, job: TrainingJob) -> Manifest:
    """Fit a model on everything; one that fails is tried once more."""
    try:
        return executor.refit(job)
    except EngineUnavailable:
        raise
    except NightrecError as error:
        log_event(job.label.replace("-", " ", 1), "note", f"is tried once more: {error}")
        return executor.refit(_again(job))


def _again(job: TrainingJob) -> TrainingJob:
    return job.model_copy(update={"attempt": job.attempt + 1, "concurrency": 1})
