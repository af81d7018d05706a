"""Signals: a message when a night needs somebody, and the check that the export is out by the agreed hour."""

from contextlib import suppress
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import State, flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter
from prefect.client.schemas.filters import FlowRunFilterExpectedStartTime as Expected
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run as this_run
from prefect.settings import PREFECT_UI_URL

from deployments.names import deployment
from flows.execution.flow_runs import reason_of
from flows.execution.run_dates import scheduled_date
from flows.no_storage import keep_nothing
from flows.settings.site import NightConfig, deployed
from recmodels.errors import NightrecError
from tasks.report import notify as channels
from tasks.store.events import log_event
from tasks.store.exports import pointer_of
from tasks.store.files import read_json
from tasks.store.lease import STALE, age
from tasks.store.paths import Store

SENTENCES = {
    "failed": "{subject} failed: {reason}",
    "crashed": "{subject} crashed: {reason}",
    "degraded": "{subject} ended, but not as it should have: {reason}",
    "late": "{subject} is late: no worker has taken it up, so see that the pool has one.",
    "no workers": "The work pool {subject} has no live worker: start one with `nightrec worker {subject}`.",
    "test": "This is a test.",
}
RECENT = 50  # runs among which the last scheduled night is looked for, past those started by hand


@keep_nothing
@flow(name="notify", flow_run_name="notify-{signal}", persist_result=False)
def notify(signal: str, subject: str = "", flow_run_id: UUID | None = None) -> str:
    """Tell people, through the channels of `[notify]` in the configuration, that a night needs somebody.

    The automations start this; started by hand with the signal *test*, it tries the channels.

    **When it fails**, its message names the channel and what went wrong; the other channels were tried all the same.
    """
    config, reason = deployed(), ""
    if flow_run_id is not None:
        subject, reason = what_happened(flow_run_id)
    sentence = SENTENCES.get(signal, "{signal}: {subject}").format(signal=signal, subject=subject, reason=reason)
    sent = channels.notify(config.notify, channels.Message(signal, config.site, sentence, link(flow_run_id)))
    log_event("notify", "note", f"{sentence} Sent by: {', '.join(sent) or 'nobody, for [notify] is empty'}.")
    return sentence


def what_happened(flow_run_id: UUID) -> tuple[str, str]:
    """The name of a run, and the reason of its last failure, even if somebody has started it again since."""
    with get_client(sync_client=True) as client:
        try:
            run = client.read_flow_run(flow_run_id)
            states = client.read_flow_run_states(flow_run_id)
        except ObjectNotFound:
            return f"the run {flow_run_id}", "it was deleted since"
    bad: list[State] = [state for state in states if state.is_failed() or state.is_crashed()]
    return run.name, reason_of(max(bad, key=lambda state: state.timestamp, default=run.state))


def link(flow_run_id: UUID | None) -> str:
    """Where the UI shows a run."""
    ui = (PREFECT_UI_URL.value() or "").rstrip("/")
    return f"{ui}/runs/flow-run/{flow_run_id}" if ui and flow_run_id else ui


def check_name() -> str:
    """The name of a run of the check, by the night that it is about."""
    try:
        return f"check-export-{this_run.parameters.get('run_date') or due_night(deployed())}"
    except NightrecError:  # a wrong configuration fails the run itself, with its reason
        return "check-export"


@keep_nothing
@flow(name="check-export", flow_run_name=check_name, persist_result=False)
def check_export(run_date: date | None = None) -> str:
    """Is the export of tonight out? Scheduled for the hour by which it is to be; fails when it is not.

    **When it fails**, readers still have the export of an earlier night. Its message says how far the night is.
    """
    config = deployed()
    run_date = run_date or due_night(config)
    store = Store(config.store.absolute())
    latest = pointer_of(store)
    if latest is not None and latest["run_date"] >= str(run_date):
        return f"{latest['export_id']} was published at {latest['published_at']}."
    current = f"readers have that of {latest['run_date']}" if latest else "nothing has been published yet"
    raise NightrecError(
        f"The export of {run_date} is not out by {config.schedule.due:%H:%M}, {current}: {so_far(store, run_date)}"
    )


def due_night(config: NightConfig) -> date:
    """The date of the last scheduled night, which is yesterday's where nights begin in the evening.

    Today's where no night was ever scheduled.
    """
    with get_client(sync_client=True) as client:
        run = last_scheduled(client, config.site)
    if run is None or run.expected_start_time is None:
        return scheduled_date(config)
    return run.expected_start_time.astimezone(ZoneInfo(config.timezone)).date()


def last_scheduled(client: SyncPrefectClient, site: str) -> FlowRun | None:
    """The newest night that was due by now by its schedule, whatever became of it."""
    try:
        nightly = client.read_deployment_by_name(deployment("nightly", site)).id
    except ObjectNotFound:
        return None
    past = FlowRunFilter(expected_start_time=Expected(before_=datetime.now(UTC)))
    of_site = DeploymentFilter(id=DeploymentFilterId(any_=[nightly]))
    newest_first = FlowRunSort.EXPECTED_START_TIME_DESC
    runs = client.read_flow_runs(flow_run_filter=past, deployment_filter=of_site, sort=newest_first, limit=RECENT)
    return next((run for run in runs if run.auto_scheduled), None)


def so_far(store: Store, run_date: date) -> str:
    """How far a night is, to end a sentence with."""
    record = read_json(store.night(run_date).summary)
    if record is None:
        return "its night has not started, so see that the pool cpu has a worker."
    status = record.get("status")
    if status == "running":
        verb = "is running" if at_work(store) else "died at work, having run"
        return f"its night {verb} since {record.get('started_at')}."
    if status == "compared":
        return "its night was a dry run."
    verb = "was interrupted" if status == "interrupted" else status or "has left no readable record"
    return f"its night {verb}: {record.get('reason', '')}"


def at_work(store: Store) -> bool:
    """Whether somebody who holds the store gives signs of life; also said where that cannot be seen."""
    with suppress(OSError):  # a worker that may only read cannot ask the file system for its clock
        silent = age(store.lease)
        return silent is not None and silent < STALE
    return True
