"""What nightrec changes in Prefect's server, before it starts."""

import datetime
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

NAMES = {"nightly": "night"}  # of runs, where they are not those of their flows
SELDOM = 10.0  # seconds; pools, queues and deployments are "not ready" when nobody has asked for a minute


def change() -> None:
    """Make the changes; `prefect.server` is imported for them."""
    prune_in_ephemeral_servers()
    lock_at_once()
    name_waiting_runs()
    leave_out_second_ui()
    look_once_a_second()
    note_polls_seldom()


def prune_in_ephemeral_servers() -> None:
    """Let the server of a single night forget old runs too, which Prefect leaves to servers that stay."""
    from prefect.server.services import db_vacuum
    from prefect.server.services.perpetual_services import get_perpetual_services

    for service in get_perpetual_services():
        if service.function is db_vacuum.schedule_vacuum_tasks:
            service.run_in_ephemeral = True


def lock_at_once() -> None:
    """Have every transaction on SQLite lock the database as it begins.

    Prefect does so where it has met the error before. In its other transactions, what reads first and then writes fails
    at once with "database is locked" if another one has written meanwhile; asked for at the beginning, the lock is
    waited for. Without it heartbeats of workers are lost, and the log is full of tracebacks.
    """
    from prefect.server.database import configurations

    changed: Any = configurations.AioSqliteConfiguration
    begin = changed.begin_transaction

    @asynccontextmanager
    async def begin_transaction(self: Any, session: Any, with_for_update: bool = False) -> AsyncGenerator[Any, None]:
        async with begin(self, session, with_for_update=True) as transaction:
            yield transaction

    changed.begin_transaction = begin_transaction


def name_waiting_runs() -> None:
    """Give scheduled runs the names that they will have once they run, in place of Prefect's random ones."""
    from prefect.server import models

    deployments: Any = models.deployments
    generate = deployments._generate_scheduled_flow_runs

    async def generate_named(db: Any, *, session: Any, deployment_id: Any, **options: Any) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = await generate(db, session=session, deployment_id=deployment_id, **options)
        if runs:
            flow = await session.get(db.Flow, runs[0]["flow_id"])
            schedules = await deployments.read_deployment_schedules(session=session, deployment_id=deployment_id)
            zone = next((getattr(one.schedule, "timezone", None) for one in schedules), None)
            for run in runs:
                run["name"] = waiting_name(flow.name, run["expected_start_time"], zone)
        return runs

    deployments._generate_scheduled_flow_runs = generate_named


def leave_out_second_ui() -> None:
    """Serve the first of Prefect's two UIs alone: the second calls a service on the internet, and is offered there."""
    import prefect

    setattr(prefect, "__ui_v2_static_path__", Path("nowhere"))  # noqa: B010


def leave_out_triggers() -> None:
    """Look at no event for automations: without one, the server would make two more of its applications for them."""
    from prefect.settings import get_current_settings

    get_current_settings().server.services.triggers.enabled = False


def look_once_a_second() -> None:
    """Have the server ask itself once a second which of its services are due, not four times: none is due as often."""
    from prefect.server.api import background_workers

    changed: Any = background_workers
    often = datetime.timedelta(seconds=1)
    changed.Worker = partial(changed.Worker, minimum_check_interval=often, scheduling_resolution=often)


def note_polls_seldom() -> None:
    """Note every `SELDOM` seconds, not with each question, that the workers of a pool ask for runs.

    They ask every two seconds, and to note it takes two tasks and two transactions that write: a sixth of what a server
    does on which nothing runs.
    """
    from prefect.server import models
    from prefect.server.api import background_workers

    prefect: Any = background_workers
    changed = prefect.Docket
    polls = (models.work_queues.mark_work_queues_ready, models.deployments.mark_deployments_ready)
    changed.add = seldom(changed.add, *polls)


def seldom(add: Callable[..., Any], *polls: Callable[..., Any]) -> Callable[..., Any]:
    """`Docket.add`, which leaves out what notes the polls of a pool if it was added within `SELDOM` seconds."""
    noted: dict[str, float] = {}

    async def nothing(**_: Any) -> None:
        pass

    def added(docket: Any, function: Any, when: datetime.datetime | None = None, key: str | None = None) -> Any:
        if function in polls and key is not None and ":work_pool:" in key:
            now = time.monotonic()
            if now - noted.get(key, -SELDOM) < SELDOM:
                return nothing
            noted[key] = now
        return add(docket, function, when, key)

    return added


def waiting_name(flow: str, when: datetime.datetime, zone: str | None) -> str:
    """The name of a run that is scheduled for a time: what it will be about, and the date in the site's time zone."""
    return f"{NAMES.get(flow, flow)}-{when.astimezone(ZoneInfo(zone or 'UTC')).date()}"
