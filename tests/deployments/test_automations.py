"""What the server watches for by itself, on a real server; no worker is needed to see that it asks for a message."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect import State
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.events.schemas.automations import Automation
from prefect.events.schemas.events import Event
from prefect.states import Cancelling, Completed, Crashed, Failed, Pending, Running, Scheduled, StateType, Submitting
from prefect.utilities.callables import parameter_schema

from deployments.automations import FLOWS, ensure, mine
from deployments.names import deployment
from flows import signals
from flows.execution.run_dates import DEGRADED
from recmodels.errors import NightrecError
from tests.deployments.live import Site
from tests.waiting import until

pytestmark = pytest.mark.server

SITE, POOLS = "shop", ["cpu", "gpu"]
SHORT = timedelta(seconds=20)  # Prefect refuses less than 10, and a busy server notices some seconds later


@dataclass
class Watched:
    """A site of which the server knows deployments and automations."""

    site: Site
    client: SyncPrefectClient
    deployments: dict[str, UUID]

    def start(self, flow: str, *states: State[Any], due: datetime | None = None) -> UUID:
        """A run of a deployment that was due now or some time ago, put into these states one after another."""
        scheduled = Scheduled(scheduled_time=due)
        run = self.client.create_flow_run_from_deployment(self.deployments[flow], state=scheduled, tags=["nightrec"])
        for state in states:
            self.client.set_flow_run_state(run.id, state, force=True)
        return run.id

    def beat(self, *run_ids: UUID) -> None:
        """The heartbeats that the processes of runs send, as Prefect's flow engine makes them."""
        events = [
            Event(
                event="prefect.flow-run.heartbeat",
                resource={"prefect.resource.id": f"prefect.flow-run.{id_}", "prefect.resource.name": "night"},
                related=[
                    {"prefect.resource.id": f"prefect.deployment.{id_}", "prefect.resource.role": "deployment"},
                    {"prefect.resource.id": "prefect.tag.nightrec", "prefect.resource.role": "tag"},
                ],
            ).model_dump(mode="json")
            for id_ in run_ids
        ]
        self.client._client.post("/events", json=events).raise_for_status()

    def state(self, run_id: UUID) -> State[Any]:
        state = self.client.read_flow_run(run_id).state
        assert state is not None
        return state

    def messages(self, **parameters: str) -> list[FlowRun]:
        """The runs of the notifier with these parameters."""
        return [
            run for run in self.site.runs(deployment("notify", SITE)) if parameters.items() <= run.parameters.items()
        ]

    def message(self, **parameters: str) -> FlowRun:
        found = until(f"a message with {parameters}", lambda: self.messages(**parameters), every=0.5)
        assert len(found) == 1, "one is enough"
        return found[0]


def deploy(client: SyncPrefectClient, flow: str, name: str, pool: str, **options: Any) -> UUID:
    id_ = client.create_flow_from_name(flow)
    return client.create_deployment(id_, f"{flow}-{name}", work_pool_name=pool, tags=["nightrec", name], **options)


@contextmanager
def watched_by(server: Site) -> Iterator[Watched]:
    with server.client() as client:
        for pool in (*POOLS, "signals"):
            client.create_work_pool(WorkPoolCreate(name=pool, type="process"), overwrite=True)
        schema = parameter_schema(signals.notify).model_dump_for_openapi()
        deployments = {
            flow: deploy(client, flow, SITE, "cpu")
            if flow != "notify"
            else deploy(client, flow, SITE, "signals", parameter_openapi_schema=schema, enforce_parameter_schema=True)
            for flow in (*FLOWS, "train-model")
        }
        ensure(SITE, POOLS, late=SHORT, silence=SHORT)
        soon = datetime.now(UTC) + timedelta(seconds=20)
        often = IntervalSchedule(interval=timedelta(minutes=5), anchor_date=soon)  # Prefect makes runs for an hour
        schedules = [DeploymentScheduleCreate(schedule=often, active=True)]
        deploy(client, "nightly", "often", "cpu", schedules=schedules)
        yield Watched(server, client, deployments)


@pytest.fixture(scope="module")
def watched(prefect_server: Site) -> Iterator[Watched]:
    with watched_by(prefect_server) as watched:
        yield watched


def there(watched: Watched) -> dict[str, Automation]:
    return {automation.name: automation for automation in mine(watched.client, SITE)}


@pytest.fixture(scope="module")
def slow(watched: Watched) -> dict[str, UUID]:
    """What takes its twenty seconds, all at the same time."""
    watched.client.send_worker_heartbeat("gpu", "the-only-one", heartbeat_interval_seconds=1)
    ago = datetime.now(UTC) - timedelta(seconds=20)
    runs = {
        "dead": watched.start("train-model", Running()),
        "done": watched.start("train-model", Running()),
        "skipped": watched.start("train-model", Running()),
        "dead when cancelled": watched.start("train-model", Running()),
        "dead before it began": watched.start("train-model", Pending()),
        "dead as it began": watched.start("train-model", Pending()),
        "dead night": watched.start("nightly", Running()),
        "late": watched.start("nightly", due=ago),
        "late, then taken up": watched.start("nightly", due=ago),
        "alive": watched.start("train-model", Running()),  # last: it must be heard of from now on
    }
    watched.beat(runs["alive"])
    watched.beat(*(runs[name] for name in ("dead", "done", "skipped", "dead night")))
    # Not at once after their first states: an event that comes while the one before it is being handled may be put
    # aside by Prefect's server for a quarter of an hour.
    for name, state in {
        "dead when cancelled": Cancelling(),
        "dead before it began": Submitting(),
        "dead as it began": Running(),
        "done": Completed(),
        "skipped": Completed(name="Skipped"),
    }.items():
        watched.client.set_flow_run_state(runs[name], state, force=True)

    def late() -> bool:
        watched.beat(runs["alive"])
        return watched.state(runs["late, then taken up"]).name == "Late"

    until("a run is late", late, every=0.5)
    watched.client.set_flow_run_state(runs["late, then taken up"], Pending())

    def found_dead() -> bool:
        watched.beat(runs["alive"])
        return all(watched.state(runs[name]).is_final() for name in runs if name.startswith("dead"))

    until("dead runs are found", found_dead, every=1)
    return runs


def test_creating_them_again_changes_nothing(watched: Watched) -> None:
    before = there(watched)
    assert sorted(name.removeprefix("nightrec shop: ") for name in before) == [
        "cancelled zombies",
        "crashed",
        "degraded",
        "failed",
        "late",
        "no workers in cpu",
        "no workers in gpu",
        "not begun",
        "zombies",
    ]
    before_triggers = triggers(watched)
    ids = ensure(SITE, POOLS, late=SHORT, silence=SHORT)
    assert sorted(ids) == sorted(automation.id for automation in before.values())
    assert sorted(ids) == sorted(automation.id for automation in there(watched).values())
    # The server gives a trigger that is updated another id, and forgets what the old one was counting.
    assert triggers(watched) == before_triggers


def triggers(watched: Watched) -> set[str]:
    found = watched.client._client.post("/automations/filter", json={}).json()
    return {one["trigger"]["id"] for one in found}


def test_one_run_that_fails_is_one_message(watched: Watched) -> None:
    run = watched.start("nightly", Running(), Failed(message="Flow run encountered an exception: NightrecError: No."))
    message = watched.message(flow_run_id=str(run))
    assert message.parameters == {"signal": "failed", "flow_run_id": str(run)}
    assert message.state is not None and message.state.type == StateType.SCHEDULED


@pytest.mark.parametrize("flow", ["backfill", "refilter", "simulate", "check-export"])
def test_the_other_runs_that_people_wait_for_are_watched_too(watched: Watched, flow: str) -> None:
    run = watched.start(flow, Running(), Crashed(message="Killed."))
    assert watched.message(flow_run_id=str(run)).parameters["signal"] == "crashed"


def test_a_night_that_takes_too_long_has_failed(watched: Watched) -> None:
    run = watched.start("nightly", Running(), Failed(name="TimedOut", message="It took too long."))
    assert watched.message(flow_run_id=str(run)).parameters["signal"] == "failed"


def test_a_night_that_is_no_good_one_is_told_though_it_completed(watched: Watched) -> None:
    run = watched.start("nightly", Running(), Completed(name=DEGRADED, message="The champion crashed."))
    assert watched.message(flow_run_id=str(run)).parameters["signal"] == "degraded"


def test_a_run_without_heartbeats_becomes_crashed_and_the_others_go_on(watched: Watched, slow: dict[str, UUID]) -> None:
    state = watched.state(slow["dead"])
    assert state.is_crashed()
    assert state.message == "it has not been heard of for 20 seconds: its process or its machine has died."
    assert watched.state(slow["alive"]).is_running()
    assert watched.state(slow["done"]).name == "Completed"
    assert watched.state(slow["skipped"]).name == "Skipped"


def test_a_run_whose_worker_dies_before_its_first_heartbeat_becomes_crashed(
    watched: Watched, slow: dict[str, UUID]
) -> None:
    for name, why in (("dead before it began", "has not begun it"), ("dead as it began", "has not been heard of")):
        state = watched.state(slow[name])
        assert state.is_crashed() and why in str(state.message)


def test_a_dead_run_that_is_cancelled_does_not_stay_cancelling(watched: Watched, slow: dict[str, UUID]) -> None:
    state = watched.state(slow["dead when cancelled"])
    assert (state.name, state.message) == ("Cancelled", "its worker has not answered within 20 seconds.")


def test_people_hear_of_a_dead_night_but_not_of_each_model(watched: Watched, slow: dict[str, UUID]) -> None:
    assert watched.message(flow_run_id=str(slow["dead night"])).parameters["signal"] == "crashed"
    assert not watched.messages(flow_run_id=str(slow["dead"]))


def test_a_night_that_no_worker_takes_up_is_late(watched: Watched, slow: dict[str, UUID]) -> None:
    assert watched.message(signal="late").parameters["flow_run_id"] == str(slow["late"])
    assert not watched.messages(signal="late", flow_run_id=str(slow["late, then taken up"]))


def test_a_pool_that_loses_its_last_worker_is_told_by_name(watched: Watched, slow: dict[str, UUID]) -> None:
    assert watched.message(signal="no workers").parameters == {"signal": "no workers", "subject": "gpu"}


def test_an_automation_that_a_person_switched_off_stays_off(watched: Watched) -> None:
    late = there(watched)["nightrec shop: late"]
    watched.client.pause_automation(late.id)
    ensure(SITE, POOLS, late=timedelta(minutes=5), silence=SHORT)
    after = there(watched)["nightrec shop: late"]
    assert (after.id, after.enabled) == (late.id, False)
    assert after.description == "No worker has taken up a night 5 minutes after its time."


def test_what_a_site_no_longer_needs_is_deleted_and_other_sites_are_left_alone(watched: Watched) -> None:
    for flow in FLOWS:
        deploy(watched.client, flow, "shop-2", "cpu")
    ensure("shop-2", POOLS)
    ensure(SITE, ["cpu"], late=SHORT, silence=SHORT)
    assert "nightrec shop: no workers in gpu" not in there(watched)
    assert len(there(watched)) == 8
    assert len(mine(watched.client, "shop-2")) == 9


def test_the_export_that_is_due_is_that_of_the_last_scheduled_night(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched.site.folder / "nightrec.toml").write_text('site = "often"\ntimezone = "Pacific/Kiritimati"\n')
    monkeypatch.setenv("NIGHTREC_CONFIG", str(watched.site.folder / "nightrec.toml"))
    nightly = watched.client.read_deployment_by_name(deployment("nightly", "often")).id
    watched.client.create_flow_run_from_deployment(nightly)  # by hand: due at no hour
    run = until("a night is due", lambda: signals.last_scheduled(watched.client, "often"), every=0.5)
    assert run.auto_scheduled and run.expected_start_time is not None
    with watched.site.client(), pytest.raises(NightrecError, match="nothing has been published yet") as refused:
        signals.check_export()
    assert "its night has not started" in str(refused.value)
    ahead = (run.expected_start_time + timedelta(hours=14)).date()  # of the world's earliest zone
    assert f"The export of {ahead}" in str(refused.value)
