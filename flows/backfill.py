"""The nights of a range: for a site that starts with a history, or after days without a night."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from datetime import date

from prefect import flow, tags
from prefect.runtime import flow_run as this_run

from flows.execution.engines import engine_for
from flows.execution.flow_runs import end_children
from flows.execution.run_dates import holding
from flows.nightly import night
from flows.no_storage import keep_nothing
from flows.settings.options import BackfillOptions, NightOptions
from flows.settings.schedule import WorkerSettings
from flows.settings.site import NightConfig, deployed
from recmodels.compute.memory import at_most
from recmodels.errors import NightrecError
from recmodels.messages import counted
from tasks.ingest.demo import demo_site
from tasks.publish.old_nights import retain_feedback, retain_nights
from tasks.report.record import NightRecord
from tasks.store.events import log_event
from tasks.store.files import Json, read_json
from tasks.store.paths import Night, Store


class NightsFailed(NightrecError):
    """Some nights of a range failed; `outcome` says what became of each."""

    def __init__(self, reason: str, outcome: dict[str, str]) -> None:
        super().__init__(reason)
        self.outcome = outcome


def backfill_name() -> str:
    options = BackfillOptions.model_validate(this_run.parameters["options"])
    return f"backfill-{options.first}-{options.last}"


@keep_nothing
@flow(
    name="backfill",
    flow_run_name=backfill_name,
    persist_result=False,
    on_cancellation=[end_children],
    on_crashed=[end_children],
)
def backfill(options: BackfillOptions) -> Json:
    """The nights of a range, oldest first. Those that are complete are skipped, so it can be run again at any time.

    **When it fails**, its message names the nights that failed and why; the others are done. Fix the cause and run
    the same range again.
    """
    config = NightOptions(models=options.models).applied_to(deployed())
    with holding(config) as lease:
        return fill.fn(config, options, config.workers, lease)


@keep_nothing
@flow(name="backfill", flow_run_name=backfill_name, persist_result=False)
def fill(config: NightConfig, options: BackfillOptions, workers: WorkerSettings | None = None, lease: str = "") -> Json:
    """Run the nights of a range that are not complete, and return what became of each. The caller holds the store.

    Raises:
        NightrecError: some of them failed.
    """
    store = Store(config.store.absolute())
    outcome, to_do = {}, []
    for one in options.nights(store):
        done = None if options.fresh else complete(one, options.publishes(one.run_date))
        if done:
            outcome[str(one.run_date)] = f"{done} before"
        else:
            to_do.append(one.run_date)
    log_event("backfill", "note", f"{counted(len(to_do), 'night')} to run, {len(outcome)} complete")
    if to_do and config.tables() is None:
        demo_site(store.night(options.last), config.demo.model_dump())  # one site for all of them

    def run(run_date: date) -> Json:
        with tags("nightrec", config.site):
            return night(
                config,
                run_date,
                fresh=options.fresh,
                dry_run=not options.publishes(run_date),
                workers=workers,
                lease=lease,
            )

    failed = {}
    with at_most(config.memory), engine_for(config.engine):  # of all of them together
        for run_date, record in side_by_side(run, to_do, options.parallel):
            if isinstance(record, Exception):
                failed[str(run_date)] = str(record)
            outcome[str(run_date)] = "failed" if isinstance(record, Exception) else how_it_ended(record)
    retain_nights(store, config.retention, options.last)
    retain_feedback(store, config.feedback.keep_days, options.last)
    outcome = dict(sorted(outcome.items()))
    if failed:
        reasons = "; ".join(f"{run_date}: {reason}" for run_date, reason in sorted(failed.items()))
        raise NightsFailed(f"{len(failed)} of {counted(len(to_do), 'night')} failed. {reasons}", outcome)
    return outcome


def how_it_ended(record: Json) -> str:
    """The status of a night, with what people are warned of."""
    return "; ".join([record["status"], *NightRecord.of(record).warnings])


def complete(one: Night, to_publish: bool) -> str | None:
    """How a night ended, if there is nothing left to do for it."""
    status = (read_json(one.summary) or {}).get("status")
    return status if status == "published" or (status == "compared" and not to_publish) else None


def side_by_side(
    run: Callable[[date], Json], dates: list[date], parallel: int
) -> Iterator[tuple[date, Json | Exception]]:
    """Run nights, so many at a time, and yield each as it ends; one that fails does not stop the others."""
    if parallel == 1:
        for run_date in dates:
            yield run_date, attempt(run, run_date)
        return
    threads = ThreadPoolExecutor(parallel)
    try:
        going: dict[Future[Json | Exception], date] = {
            threads.submit(copy_context().run, attempt, run, run_date): run_date for run_date in dates
        }
        for done in as_completed(going):
            yield going[done], done.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def attempt(run: Callable[[date], Json], run_date: date) -> Json | Exception:
    try:
        return run(run_date)
    except Exception as error:
        return error
