"""The nightly flow: read ``night`` top to bottom, it is the DAG of a night."""

from datetime import date

from prefect import State, flow
from prefect.states import Completed

from flows.execution.executors import executor_for
from flows.execution.flow_runs import end_children
from flows.execution.run_dates import holding, newer_run, night_name, tonight
from flows.settings.options import ORDINARY, NightOptions
from flows.settings.schedule import WorkerSettings
from flows.settings.site import NightConfig, deployed
from tasks.compare.champion import field
from tasks.compare.gate import admit
from tasks.compare.stage import compare
from tasks.export.stage import export
from tasks.features.stage import features
from tasks.ingest.demo import demo_site
from tasks.ingest.stage import ingest
from tasks.lists.rules import list_rules
from tasks.prepare.stage import prepare
from tasks.publish.mirror import mirror
from tasks.publish.retention import retain
from tasks.publish.sinks.load import load as load_sinks
from tasks.report.mlflow import mlflow_run
from tasks.report.stage import recorded, report
from tasks.store.files import Json
from tasks.store.machine import core_count
from tasks.store.paths import Store
from tasks.train.jobs import TrainingJob
from tasks.train.members import in_turn, with_members, without_failed
from tasks.validate.stage import validate


@flow(
    name="nightly",
    flow_run_name=night_name,
    persist_result=False,
    on_cancellation=[end_children],
    on_crashed=[end_children],
)
def nightly(options: NightOptions = ORDINARY) -> "Json | State[None]":
    """Tonight: from the site's interactions to published lists for every user, on the workers of the site.

    Stages that are done already are skipped, so a night that was cut short goes on where it was.

    **When a night fails**, its message says what to do, and the last export stays published: readers keep the lists
    they have. Mend the cause, then press *Retry*, or *Run* with the same date. A night that was refused for its data
    has the refused rows in `quarantine/` and the rules in the artifact *data-quality*.
    """
    config, run_date = options.applied_to(deployed()), options.run_date
    if run_date is None:
        run_date = tonight(config)
        if newer := newer_run():
            return Completed(
                name="Skipped",
                message=f"The night {run_date} is overdue, and {newer} is due as well: run `nightrec backfill` for it.",
            )
    with holding(config) as lease:
        return night.fn(config, run_date, options.fresh, not options.dry_run, options.champion, config.workers, lease)


@flow(name="night", flow_run_name="night-{run_date}", persist_result=False)
def night(
    config: NightConfig,
    run_date: date,
    fresh: bool = False,
    publish: bool = True,
    champion: str | None = None,
    workers: WorkerSettings | None = None,
    lease: str = "",
) -> Json:
    """One night: from a site's interactions to published lists for every user. The caller holds the store.

    Every stage leaves a folder in the store and is skipped when the same inputs, parameters and code made it before,
    so a night that was cut short goes on where it was.

    **When a night fails**, its message says what to do, and the last export stays published. Mend the cause and run
    the same date again.

    Args:
        config: the site's settings.
        run_date: the night's date; it sees the data before 00:00 of that day in the site's time zone.
        fresh: do everything again, whatever is there.
        publish: whether the winner is fitted again and its lists are published.
        champion: the model to publish, whatever the figures say.
        workers: how to deal with the workers that train the candidates; without them this process trains.
        lease: token of the store's lease.
    """
    night = Store(config.store.absolute()).night(run_date)
    cutoff = config.cutoff(run_date)
    configured = {name: candidate for name, candidate in with_members(config.models).items() if candidate.enabled}
    candidates, incumbent, baseline = field(configured, night.store, run_date)
    jobs = [
        TrainingJob(
            store=night.store.root,
            run_date=run_date,
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

    with mlflow_run(night, config.mlflow), recorded(night) as record, executor_for(workers) as executor:
        inputs = config.tables() or demo_site(night, config.demo.model_dump())
        raw = ingest(night, inputs, cutoff, fresh)
        valid = validate(night, config.validation, cutoff, raw, fresh)
        prepared = prepare(night, config.prepare, cutoff, valid, fresh)
        described = features(night, "train", config.features, prepared, valid, fresh)
        if config.export.rerank:
            list_rules(night, config.export, config.features, prepared, described, fresh)

        single, ensembles = in_turn(jobs)
        executor.start(single, prepared, described)
        described_in_full = features.submit(night, "full", config.features, prepared, valid, fresh)
        measured, failed = executor.wait()
        if ensembles:  # they are made of what the others have become
            ensembles = without_failed(ensembles, failed)
            executor.start(ensembles, prepared, described)
            together, not_together = executor.wait()
            measured, failed = measured | together, failed | not_together
        comparison = compare(night, candidates, measured, failed, champion, fresh, config.gate, incumbent, baseline)
        record["gate"] = comparison["summary"]["gate"]

        full, published = described_in_full.result(), None
        if publish:
            admit(comparison)
            winner = comparison["summary"]["winner"]
            job = next(job for job in [*single, *ensembles] if job.name == winner)
            fitted = executor.refit(job.model_copy(update={"split": "full", "concurrency": 1}), prepared, full)
            published = export(
                night, cutoff, winner, config.export, config.features, prepared, fitted, comparison, fresh
            )
            retain(night.store, config.keep)
            record["sinks"] = load_sinks(night.store, config.sinks)
            if config.mirror.to:
                mirror(night.store, config.mirror.to)
        record.update(report(night, raw, valid, prepared, comparison, published))
    return record
