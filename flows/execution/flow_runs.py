"""The runs that a flow has started on workers: looking at them, and ending them."""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

from prefect import Flow, State
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling, Crashed

HEARD = 45.0  # seconds since a worker's last heartbeat within which it counts as alive; it sends one every 10 to 30
PATIENCE = 45.0  # seconds that a worker has to stop a run before it is written off
PREFIX = re.compile(r"^(Flow run encountered an exception: )?((\w+Error|\w+Refused): )?")  # Prefect's, to a sentence
PAGE = 200  # runs the server returns at most


def alive_workers(client: SyncPrefectClient, pool: str) -> int:
    """How many workers of a pool are at work; the server itself takes a minute and a half to notice a dead one."""
    now = server_time(client)
    try:
        workers = client.read_workers_for_work_pool(pool)
    except ObjectNotFound:
        return 0
    return sum(
        (now - worker.last_heartbeat_time).total_seconds() < max(HEARD, 1.5 * (worker.heartbeat_interval_seconds or 0))
        for worker in workers
        if worker.last_heartbeat_time is not None
    )


def server_time(client: SyncPrefectClient) -> datetime:
    """The time by the server's clock, which stamps the heartbeats."""
    stamp = client._client.get("/health").headers.get("date")
    return parsedate_to_datetime(stamp) if stamp else datetime.now(UTC)


def read_runs(client: SyncPrefectClient, ids: Iterable[UUID]) -> dict[UUID, FlowRun]:
    """The runs with these ids; one that was deleted is missing."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(ids)))
    return {run.id: run for run in client.read_flow_runs(flow_run_filter=wanted, limit=PAGE)}


def end_children(flow: "Flow[Any, Any]", flow_run: FlowRun, state: "State[Any]") -> None:
    """Hook of a flow that is cancelled or crashes: none of the runs it has started goes on."""
    of_parent = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run.id]))
    with get_client(sync_client=True) as client:
        end_runs(client, [run.id for run in client.read_flow_runs(flow_run_filter=of_parent, limit=PAGE)])


def end_runs(client: SyncPrefectClient, ids: Iterable[UUID], patience: float = PATIENCE) -> None:
    """Cancel runs and wait until their workers have stopped them.

    A run whose worker does not answer in time (it may be dead) is cancelled on paper; what is left of it ends itself
    when it finds that the night that asked for it is gone.
    """
    going = {id_: run for id_, run in read_runs(client, ids).items() if not ended(run)}
    for id_, run in going.items():
        started = run.state is not None and (run.state.is_running() or run.state.is_pending())
        client.set_flow_run_state(id_, Cancelling() if started else Cancelled(), force=not started)
    until = time.monotonic() + patience
    while going and time.monotonic() < until:
        time.sleep(0.5)
        going = {id_: run for id_, run in read_runs(client, going).items() if not ended(run)}
    for id_ in going:
        client.set_flow_run_state(id_, Cancelled(message="its worker did not answer"), force=True)


def write_off(client: SyncPrefectClient, id_: UUID, why: str) -> None:
    """Say of a run that its process is dead, so that it does not show as running for ever."""
    with suppress(ObjectNotFound):
        run = client.read_flow_run(id_)
        if not ended(run):
            client.set_flow_run_state(id_, Crashed(message=why), force=True)


def ended(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


def reason_of(state: "State[Any] | None") -> str:
    """Why a run ended as it did, in its own words, without Prefect's."""
    message = (state.message if state else None) or (state.name if state else None) or "it left no message"
    return PREFIX.sub("", message.partition("\n")[0])
