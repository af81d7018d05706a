"""The nightly flow: read `night` top to bottom, it is the DAG of a night."""

from collections.abc import Mapping
from datetime import date

from prefect import State, flow
from prefect.states import Completed

from flows.execution.arms import fit_arms
from flows.execution.engines import engine_for
from flows.execution.executors import executor_for
from flows.execution.flow_runs import end_children
from flows.execution.publishing import publish
from flows.execution.replicates import fit_replicates
from flows.execution.run_dates import DEGRADED, holding, newer_run, night_name, scheduled_date
from flows.execution.sizing import pairs_of, sized
from flows.execution.training import indispensable, jobs_for, refit, train_all
from flows.execution.vectors import fit_vectors
from flows.no_storage import keep_nothing
from flows.settings.options import ORDINARY, NightOptions
from flows.settings.schedule import WorkerSettings
from flows.settings.site import NightConfig, deployed
from recmodels.compute.memory import at_most, in_one_arena
from recmodels.published.pseudonyms import key_in
from tasks.arms.inputs import ArmsInputs
from tasks.arms.stage import compare_arms
from tasks.compare.champion import field
from tasks.compare.decision import decision_of
from tasks.compare.stage import compare
from tasks.estimates.measured import spilled
from tasks.evaluate.slices import note_missing
from tasks.exploration.learned import check_segment
from tasks.exposures.stage import exposures_of
from tasks.features.stage import features
from tasks.ingest.demo import demo_site
from tasks.ingest.reading.files import input_fingerprint, with_what_is_there
from tasks.ingest.stage import ingest
from tasks.lists.stage import list_rules
from tasks.longterm.stage import foretell_arms
from tasks.offpolicy.evaluation import Champion
from tasks.offpolicy.stage import offpolicy_of
from tasks.panel.stage import follow
from tasks.prepare.stage import prepare
from tasks.publish.old_nights import retain_feedback, retain_nights
from tasks.report.metrics import metrics_left
from tasks.report.mlflow import mlflow_run
from tasks.report.record import NightRecord
from tasks.report.stage import recorded, report
from tasks.store.disk import in_words
from tasks.store.files import Json
from tasks.store.manifests import Manifest
from tasks.store.paths import Store
from tasks.store.room import check_room
from tasks.store.time_limit import limiting
from tasks.train.forks import forked_trainings
from tasks.train.members import refuse_wrong_columns
from tasks.train.parts import parts_of_trainings, shared_by_trainings
from tasks.train.process import begin_forks
from tasks.validate.stage import validate


@keep_nothing
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
    they have. Fix the cause, then press *Retry*, or *Run* with the same date. A night that was refused for its data
    has the refused rows in `quarantine/` and the rules in the artifact *data-quality*.
    """
    in_one_arena()
    config, run_date = options.applied_to(deployed()), options.run_date
    if run_date is None:
        run_date = scheduled_date(config)
        if newer := newer_run():
            return Completed(
                name="Skipped",
                message=f"The night {run_date} is overdue, and {newer} is due as well: run `nightrec backfill` for it.",
            )
    with holding(config) as lease:
        record = night.fn(
            config,
            run_date,
            fresh=options.fresh,
            dry_run=options.dry_run,
            forced_model=options.forced_model,
            workers=config.workers,
            lease=lease,
        )
        retain_nights(Store(config.store.absolute()), config.retention, run_date)
        retain_feedback(Store(config.store.absolute()), config.feedback.keep_days, run_date)
    return ending(record)


def ending(record: Json) -> "Json | State[None]":
    """What the run of a night ends with: its record, or the state that people are told of."""
    warnings = NightRecord.of(record).warnings
    return Completed(name=DEGRADED, message=" ".join(warnings)) if warnings else record


@keep_nothing
@flow(name="night", flow_run_name="night-{run_date}", persist_result=False)
def night(
    config: NightConfig,
    run_date: date,
    fresh: bool = False,
    dry_run: bool = False,
    forced_model: str | None = None,
    workers: WorkerSettings | None = None,
    lease: str = "",
) -> Json:
    """One night: from a site's interactions to published lists for every user. The caller holds the store.

        ingest → validate → prepare ─┬→ features (train) → train and evaluate each model → compare ─┐
                                     └→ features (full) ────────────────────────────────────────────┴→ refit the winner
        → export → retention, sinks, mirror → report

    Every stage leaves a folder in the store and is skipped when the same inputs, parameters and code made it before,
    so a night that was cut short goes on where it was.

    **When a night fails**, its message says what to do, and the last export stays published. Fix the cause and run
    the same date again.

    Args:
        config: the site's settings.
        run_date: the night's date; it sees the data before 00:00 of that day in the site's time zone.
        fresh: do everything again, whatever is there.
        dry_run: train and compare, and publish nothing.
        forced_model: the model to publish, whatever the figures say.
        workers: how to deal with the workers that train the candidates; without them this process trains.
        lease: token of the store's lease.
    """
    tonight = Store(config.store.absolute()).night(run_date)
    cutoff = config.cutoff(run_date)
    candidates, incumbent, baseline = field(config.enabled_models(), tonight.store, run_date)

    with (
        in_words(tonight.store),
        at_most(config.memory),
        metrics_left(tonight.store, config.site, config.metrics.file),
        mlflow_run(tonight, config.mlflow),
        recorded(tonight) as record,
        in_words(tonight.store),
        limiting(config.schedule.stage_hours),
        engine_for(config.engine, record) as engine,
        parts_of_trainings(tonight, engine, fresh),
        shared_by_trainings(tonight, engine is None and workers is None),
        forked_trainings(engine is None and workers is None) as forks,
        executor_for(workers) as executor,
    ):
        if config.export.hash_key_env and not dry_run:
            key_in(config.export.hash_key_env)  # or the night fails once everything is trained
        inputs = config.tables() or demo_site(tonight, config.demo.model_dump())
        sizes = [file["size"] for file in input_fingerprint(with_what_is_there(inputs)[0])]
        check_room(tonight, config.disk, sizes, spilled)
        raw = ingest(tonight, inputs, cutoff, fresh, config.validation.earliest)
        valid = validate(tonight, config.validation, cutoff, raw, fresh)
        prepared = prepare(tonight, config.preparation(), cutoff, valid, fresh)
        check_segment(tonight, config.exploration)
        note_missing(tonight.prepared, config.evaluation)
        exposures = exposures_of(tonight, config.feedback, cutoff, prepared, valid, fresh)
        champion = Champion(incumbent.name, incumbent.published_as) if incumbent else None
        earned = offpolicy_of(tonight, config.feedback, cutoff, list(candidates), champion, fresh)
        arms_now = ArmsInputs(tonight, config.arms, config.features, config.feedback, cutoff, prepared, valid)
        compare_arms(arms_now, fresh)
        foretell_arms(arms_now, fresh)
        jobs = jobs_for(tonight, config, candidates, fresh, lease, engine, pairs_of(prepared))
        begin_forks(forks, jobs)
        described = features(tonight, "train", config.features, prepared, valid, fresh)
        if config.export.rerank:
            list_rules(tonight, config.export, config.features, prepared, described, fresh)
        described_in_full = features.submit(tonight, "full", config.features, prepared, valid, fresh)
        refuse_wrong_columns(tonight, candidates, config.features.for_ensembles(config.timezone))
        needed = indispensable(candidates, incumbent, (forced_model, config.gate.pinned_model, *config.arms.models))
        jobs, results = train_all(executor, sized(jobs, prepared, needed, here=workers is None), needed)

        def judge(unfit: Mapping[str, str] | None = None) -> Manifest:
            measured, failed = results.measured, results.failed
            comparison = compare(
                tonight,
                candidates,
                measured,
                failed,
                forced_model,
                fresh,
                config.gate,
                incumbent,
                baseline,
                unfit,
                earned,
            )
            record.gate = decision_of(comparison)
            return comparison

        comparison = judge()

        described_in_full.result()
        if dry_run:
            published = None
        else:
            comparison, fitted = refit(executor, jobs, comparison, judge)
            arms = fit_arms(executor, jobs, comparison, config.arms)
            fit_vectors(executor, jobs, comparison, config.export, () if arms is None else arms.models)
            replicates = fit_replicates(executor, jobs, comparison, config.exploration)
            forks.close()
            published = publish(tonight, cutoff, config, prepared, comparison, fitted, record, fresh, arms, replicates)
            follow(tonight, config.panel, config.features, cutoff, prepared, exposures, published, fresh)
        record.fill_in(report(tonight, raw, valid, prepared, comparison, published))
    return record.json_ready()
