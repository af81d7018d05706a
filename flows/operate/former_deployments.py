"""Deployments under the names that they had before: what people changed of them is taken over, and they are deleted."""

from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from deployments.names import TAG, deployment, former


def take_over(client: SyncPrefectClient, pairs: list[tuple[str, str]]) -> list[str]:
    """Replace the deployments that have their former names.

    Args:
        client: of the server.
        pairs: flows, each with the site or pool of the deployment.

    Returns:
        The former names of those that were there.
    """
    found = []
    for flow, of in pairs:
        name = former(flow, of)
        try:
            old = client.read_deployment_by_name(name)
        except ObjectNotFound:
            continue
        if TAG in old.tags:
            adopt_schedules(client, old, client.read_deployment_by_name(deployment(flow, of)))
            client.delete_deployment(old.id)
            found.append(name)
    return found


def adopt_schedules(client: SyncPrefectClient, old: DeploymentResponse, new: DeploymentResponse) -> None:
    """What was paused stays paused, and schedules that somebody added in the UI go on."""
    there = {schedule.slug: schedule for schedule in new.schedules if schedule.slug}
    for schedule in old.schedules:
        same = there.get(schedule.slug or "")
        if same is None:
            added = DeploymentScheduleCreate(
                schedule=schedule.schedule, active=schedule.active, slug=schedule.slug, parameters=schedule.parameters
            )
            client.create_deployment_schedules(new.id, [added])
        elif same.active and not schedule.active:
            client.update_deployment_schedule(new.id, same.id, active=False)
    if old.paused and not new.paused:
        pause(client, new.id)


def pause(client: SyncPrefectClient, id_: UUID) -> None:
    client.update_deployment(id_, DeploymentUpdate(paused=True))
