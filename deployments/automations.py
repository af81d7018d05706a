"""What the server watches for by itself, and whom it notifies: automations as code, one set a site.

Each runs the deployment `notify-<site>`, whose worker (of the pool `signals`) does not wait behind a night. A run
whose process has died is marked as crashed, which notifies people in its turn.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import AutomationSort
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.filters import AutomationFilter, AutomationFilterTags
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from deployments import names
from deployments.names import TAG

LATE = timedelta(minutes=10)  # a night may wait this long for a worker
SILENCE = timedelta(minutes=3)  # six heartbeats

# Prefect's server evaluates what did not happen a minute after the time is up, so that events that are under way still
# count; it refuses less than 10 s for `late` and `silence`.

FLOWS = ("nightly", "backfill", "refilter", "simulate", "check-export", "notify")
SIGNALS = {  # events are named after the state, and a run that took too long has a name of its own
    "failed": {"prefect.flow-run.Failed", "prefect.flow-run.TimedOut"},
    "crashed": {"prefect.flow-run.Crashed"},
    "degraded": {"prefect.flow-run.Degraded"},
}
ABOUT = {"degraded": "The champion of a night could not be measured, or most of its candidates failed."}
TAKEN_UP = [f"prefect.flow-run.{name}" for name in ("Pending", "Submitting", "InfrastructurePending")]
RUNS = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
OF_NIGHTREC = ResourceSpecification({"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"})
THE_RUN = {
    "__prefect_kind": "jinja",  # filled in by the server, from the event
    "template": "{{ event.resource.id | replace('prefect.flow-run.', '') }}",
}


def automations(
    site: str,
    pools: dict[str, UUID],
    deployments: dict[str, UUID],
    late: timedelta = LATE,
    silence: timedelta = SILENCE,
) -> list[AutomationCore]:
    """The automations of a site.

    Args:
        site: its name.
        pools: work pools that need a live worker, by name.
        deployments: of this site, by the names of their flows.
        late: how long a night may wait for a worker.
        silence: after how long without a heartbeat a run is dead.
    """

    def automation(name: str, about: str, trigger: EventTrigger, actions: Sequence[object]) -> AutomationCore:
        named = {"name": f"{prefix(site)}{name}", "description": about, "tags": [TAG, site]}
        return AutomationCore.model_validate(named | {"trigger": trigger, "actions": actions})

    def notify(signal: str, **parameters: object) -> list[RunDeployment]:
        given = {"signal": signal} | parameters
        return [RunDeployment(source="selected", deployment_id=deployments["notify"], parameters=given)]

    watched = of_deployments(*(deployments[flow] for flow in FLOWS if flow != "notify"))
    ended_badly = [
        automation(
            signal,
            ABOUT.get(signal, f"A night, a backfill, a refilter, a simulation or the check of the export {signal}."),
            EventTrigger(expect=events, match=RUNS, match_related=watched, posture=Posture.Reactive, threshold=1),
            notify(signal, flow_run_id=THE_RUN),
        )
        for signal, events in SIGNALS.items()
    ]
    lost_pools = [
        automation(
            f"no workers in {pool}",
            f"The work pool {pool} has lost its last worker.",
            EventTrigger(
                expect={"prefect.work-pool.not-ready"},
                match=ResourceSpecification({"prefect.resource.id": f"prefect.work-pool.{id_}"}),
                posture=Posture.Reactive,
                threshold=1,
            ),
            notify("no workers", subject=pool),
        )
        for pool, id_ in pools.items()
    ]
    late_nights = automation(
        "late",
        f"No worker has taken up a night {minutes(late)} after its time.",
        # Whatever happens next, somebody has taken it up.
        missing("prefect.flow-run.*", ["prefect.flow-run.Late"], late, of_deployments(deployments["nightly"])),
        notify("late", flow_run_id=THE_RUN),
    )
    zombies = automation(
        "zombies",
        f"A run that has not been heard of for {minutes(silence)} is marked as crashed.",
        # Another heartbeat, or any change of state, is a sign of life; a run that never sent one is dead, too.
        missing("prefect.flow-run.*", ["prefect.flow-run.heartbeat", "prefect.flow-run.Running"], silence, OF_NIGHTREC),
        [
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"it has not been heard of for {minutes(silence)}: its process or its machine has died.",
            )
        ],
    )
    never_begun = automation(
        "not begun",
        f"A run that a worker has taken up, and not begun in {minutes(silence)}, is marked as crashed.",
        missing("prefect.flow-run.*", TAKEN_UP, silence, OF_NIGHTREC),
        [
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"its worker has not begun it in {minutes(silence)}: it has died, or its container never came.",
            )
        ],
    )
    # Prefect's server lets a run that is being cancelled become nothing but cancelled, so the zombies among them are
    # found by themselves. A worker that is alive needs half a minute at most.
    cancelled_zombies = automation(
        "cancelled zombies",
        f"A run that nobody has stopped {minutes(silence)} after it was cancelled is marked as cancelled.",
        missing("prefect.flow-run.Cancelled", ["prefect.flow-run.Cancelling"], silence, OF_NIGHTREC),
        [
            ChangeFlowRunState(
                state=StateType.CANCELLED,
                message=f"its worker has not answered within {minutes(silence)}.",
            )
        ],
    )
    return [*ended_badly, *lost_pools, late_nights, never_begun, zombies, cancelled_zombies]


def missing(event: str, after: Iterable[str], within: timedelta, of: ResourceSpecification) -> EventTrigger:
    """Fires for each run that has no such event within a time after one of others."""
    return EventTrigger(
        after=set(after),
        expect={event},
        match=RUNS,
        match_related=of,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def prefix(site: str) -> str:
    return f"nightrec {site}: "


def of_deployments(*ids: UUID) -> ResourceSpecification:
    """Matches events of the runs of these deployments."""
    names: list[str] = [f"prefect.deployment.{id_}" for id_ in ids]
    return ResourceSpecification({"prefect.resource.role": "deployment", "prefect.resource.id": names})


def minutes(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds / 60:.0f} minutes" if seconds % 60 == 0 else f"{seconds:.0f} seconds"


def ensure(site: str, pools: list[str], late: timedelta = LATE, silence: timedelta = SILENCE) -> list[UUID]:
    """Create the automations of a site on the server, or update them by their names; returns their ids.

    Those that the site no longer needs are deleted. One that was switched off in the UI stays off, and one that is as
    it should be is left alone: an update would make it forget the runs that it is watching.

    Raises:
        ObjectNotFound: a pool or a deployment of the site is not there yet.
    """
    with get_client(sync_client=True) as client:
        of_pools = {pool: client.read_work_pool(pool).id for pool in pools}
        of_flows = {flow: client.read_deployment_by_name(names.deployment(flow, site)).id for flow in FLOWS}
        there = mine(client, site)
        ids = [
            put(client, wanted, next((one for one in there if one.name == wanted.name), None))
            for wanted in automations(site, of_pools, of_flows, late, silence)
        ]
        for unwanted in there:
            if unwanted.id not in ids:
                client.delete_automation(unwanted.id)
    return ids


def mine(client: SyncPrefectClient, site: str) -> list[Automation]:
    """The automations that the server has of a site."""
    tagged = AutomationFilter(tags=AutomationFilterTags(all_=[TAG, site]))
    found = client.read_automations(automations=tagged, sort=AutomationSort.NAME_ASC)
    return [one for one in found if one.name.startswith(prefix(site))]


def put(client: SyncPrefectClient, wanted: AutomationCore, there: Automation | None) -> UUID:
    if there is None:
        return client.create_automation(wanted)
    if there.model_dump(exclude={"id", "enabled"}) != wanted.model_dump(exclude={"enabled"}):
        client.update_automation(there.id, wanted.model_copy(update={"enabled": there.enabled}))
    return there.id
