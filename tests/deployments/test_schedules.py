"""Nights on real workers, of a schedule and of a worker that is stopped: a server, two pools, one store."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule

from tests.deployments.live import Site
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.server


def test_the_scheduled_night_runs_by_itself_and_one_started_by_hand_waits(site: Site) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=20)
    with site.client() as client:
        nightly = client.read_deployment_by_name("nightly/site").id
        daily = IntervalSchedule(interval=timedelta(days=1), anchor_date=soon)
        schedule = client.create_deployment_schedules(nightly, [(daily, True)])[0]

    def due() -> FlowRun | None:
        return next((run for run in site.runs("nightly/site") if run.auto_scheduled and is_near(run, soon)), None)

    scheduled = until("it is scheduled", due)
    until("it runs", lambda: site.read(scheduled) if site.read(scheduled).state.is_running() else None)
    by_hand = site.night()
    assert site.ended(scheduled).state.is_completed()
    assert site.read(scheduled).name == f"night-{soon.date()}"
    assert site.ended(by_hand).state.is_completed()
    assert site.read(by_hand).start_time >= site.read(scheduled).end_time
    assert len(list((site.store / "exports").glob(f"{soon.date()}*"))) == 1  # the second had nothing to do
    with site.client() as client:
        client.delete_deployment_schedule(nightly, schedule.id)


def is_near(run: FlowRun, when: datetime) -> bool:
    return abs((run.expected_start_time - when).total_seconds()) < 2


def test_when_its_worker_is_stopped_no_run_shows_as_running(site: Site) -> None:
    run = site.night(run_date="2026-03-05", models=["item_knn"])
    process = site.frozen("item_knn")
    started = site.processes["worker-cpu"]
    site.processes["worker-cpu"].terminate()
    site.thaw(process)
    assert started.wait(PATIENCE) == 0
    assert site.read(run).state.is_crashed()
    for child in site.children(run).values():
        assert site.ended(child).state.is_final()
    site.start_worker("cpu")
    again = site.ended(site.night(run_date="2026-03-05", models=["item_knn"]))
    assert again.state.is_completed(), again.state.message
