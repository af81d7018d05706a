"""When a night is for, whether a newer one is due, and who holds the store meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
)
from prefect.client.schemas.filters import FlowRunFilterExpectedStartTime as Expected
from prefect.client.schemas.filters import FlowRunFilterId as Ids
from prefect.client.schemas.filters import FlowRunFilterState as States
from prefect.client.schemas.filters import FlowRunFilterStateName as Names
from prefect.client.schemas.filters import FlowRunFilterStateType as Types
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import deployment, flow_run

from flows.execution.flow_runs import write_off
from flows.settings.site import NightConfig, deployed
from recmodels.errors import ConfigError, NightrecError
from tasks.store.events import log_event
from tasks.store.locking import held
from tasks.store.paths import Store

FLOWS = ("nightly", "backfill")  # that run nights for a site; their deployments are `<flow>-<site>`
DEGRADED = "Degraded"  # the state of a night that ended, though not as it should have; an automation waits for it


def scheduled_date(config: NightConfig) -> date:
    """The date that a run was scheduled for, however late it starts, in the site's time zone."""
    scheduled: datetime = flow_run.scheduled_start_time
    return scheduled.astimezone(ZoneInfo(config.timezone)).date()


def night_name() -> str:
    """The name of a run of the nightly flow, by its date."""
    chosen = getattr(flow_run.parameters.get("options"), "run_date", None)
    try:
        return f"night-{chosen or scheduled_date(deployed())}"
    except NightrecError:  # a wrong configuration fails the run itself, with its reason
        return f"night-{flow_run.scheduled_start_time.date()}"


def newer_run() -> datetime | None:
    """When a later scheduled night of this deployment was due, if it was already; overdue nights start oldest first."""
    if deployment.id is None:
        return None
    going_or_to_come = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]
    wanted = FlowRunFilter(
        id=Ids(not_any_=[UUID(flow_run.id)]),
        state=States(type=Types(any_=going_or_to_come)),
        expected_start_time=Expected(after_=flow_run.scheduled_start_time, before_=datetime.now(UTC)),
    )
    mine = DeploymentFilter(id=DeploymentFilterId(any_=[UUID(deployment.id)]))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=wanted, deployment_filter=mine, limit=200)
    due = [run.expected_start_time for run in runs if run.auto_scheduled and run.expected_start_time is not None]
    return max((when for when in due if when > flow_run.scheduled_start_time), default=None)


def refuse_lost(site: str, store: Store) -> None:
    """Refuse to begin a new store where nights of this site have ended before: an empty mount point looks like one.

    Prefect's server remembers the nights. A run that is no deployment's has its store from whoever started it.

    Raises:
        ConfigError: the store is gone.
    """
    if deployment.id is None or store.exports.is_dir():
        return
    with get_client(sync_client=True) as client:
        before = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS))),
            flow_run_filter=FlowRunFilter(state=States(name=Names(any_=["Completed", DEGRADED]))),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[f"{flow}-{site}" for flow in FLOWS])),
            sort=FlowRunSort.END_TIME_DESC,
            limit=1,
        )
    if before:
        raise ConfigError(
            f"The store {store.root} is empty, and nights of this site have ended before (the last at "
            f"{before[0].end_time:%Y-%m-%d %H:%M}): see that its disk is mounted. To begin a new store there, make the "
            f"folder {store.exports}."
        )


@contextmanager
def holding(config: NightConfig) -> Iterator[str]:
    """Hold the site's store for a deployed flow, waiting for another night to end; yields the token of the lease.

    The run of a night that died without a word is marked as crashed by the next one.
    """

    def found_dead(other: str) -> None:
        log_event("store", "note", "the night before this one died while it ran")
        with get_client(sync_client=True) as client:
            write_off(client, UUID(other), "its process died; the next night found its store abandoned")

    patience, store = config.schedule.patience_minutes * 60, Store(config.store.absolute())
    refuse_lost(config.site, store)
    with held(store, patience, flow_run.id or "", found_dead) as token:
        yield token
