"""Nights on real workers: a server, two pools with a worker each, one store."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule

from tests.deployments.live import Site
from tests.waiting import PATIENCE, is_alive, until, until_ended

pytestmark = pytest.mark.server

CONFIG = """\
[demo]
users = 200
items = 80
interactions = 3000

[workers]
lost_seconds = 20
poll_seconds = 0.5

[schedule]
active = false

[gate]
min_nights = 100  # of so small a site one night says little about another

[models.popularity]
required = true

[models.item_knn]
pool = "gpu"
"""
FEW = ["item_knn"]  # which competes with popularity alone


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site.new(tmp_path_factory, "workers")
    (site.folder / "nightrec.toml").write_text(CONFIG)
    try:
        site.start_server()
        site.deploy()
        site.start_worker("cpu")
        site.start_worker("gpu")
        yield site
    finally:
        site.stop_all()


def summary(site: Site, run_date: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((site.store / "nights" / run_date / "night.json").read_text())
    return content


def latest(site: Site) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((site.store / "exports/latest.json").read_text())
    return content


@dataclass(frozen=True)
class Nights:
    """A scheduled night, and one of the same date that was started by hand meanwhile, once both have ended."""

    date: date
    scheduled: FlowRun
    by_hand: FlowRun


@pytest.fixture(scope="module")
def nights(site: Site) -> Nights:
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
    ended = Nights(soon.date(), site.ended(scheduled), site.ended(by_hand))
    with site.client() as client:
        client.delete_deployment_schedule(nightly, schedule.id)
    return ended


def test_each_model_is_trained_by_the_worker_of_its_pool(site: Site, nights: Nights) -> None:
    run, day = nights.scheduled, nights.date
    children = site.children(run)
    winner = summary(site, str(day))["winner"]
    trained = {f"train-{model}-{day}" for model in ("popularity", "popularity_7d", "item_knn")}
    assert set(children) == {*trained, f"refit-{winner}-{day}"}
    pools = {name: child.work_pool_name for name, child in children.items()}
    assert pools[f"train-item_knn-{day}"] == "gpu"
    assert pools[f"train-popularity-{day}"] == "cpu"
    workers = {name: child.labels["prefect.worker.name"] for name, child in children.items()}
    assert workers[f"train-item_knn-{day}"] == "gpu"
    assert workers[f"train-popularity-{day}"] == "cpu"
    assert latest(site)["run_date"] == str(day)


def test_the_scheduled_night_runs_by_itself_and_one_started_by_hand_waits(site: Site, nights: Nights) -> None:
    assert nights.scheduled.state.is_completed(), nights.scheduled.state.message
    assert nights.scheduled.name == f"night-{nights.date}"
    assert nights.by_hand.state.is_completed(), nights.by_hand.state.message
    assert nights.by_hand.start_time >= nights.scheduled.end_time
    assert len(list((site.store / "exports").glob(f"{nights.date}*"))) == 1  # the second had nothing to do


def is_near(run: FlowRun, when: datetime) -> bool:
    return abs((run.expected_start_time - when).total_seconds()) < 2


def test_when_the_worker_dies_in_training_the_night_goes_on_without_its_model(site: Site) -> None:
    run = site.night(run_date="2026-03-03", models=FEW)
    process = site.frozen("item_knn")
    site.kill("worker-gpu")
    assert not is_alive(process)
    run = site.ended(run)
    assert run.state.is_completed(), run.state.message
    record = summary(site, "2026-03-03")
    assert record["failed"] == {"item_knn": "its worker in the pool gpu died"}
    child = site.children(run)["train-item_knn-2026-03-03"]
    assert child.state.is_crashed()
    assert "sign of life" in child.state.message
    site.start_worker("gpu")


def test_when_the_night_is_cancelled_nothing_goes_on(site: Site) -> None:
    before = latest(site)
    run = site.night(run_date="2026-03-05", models=FEW)
    process = site.frozen("item_knn")
    site.cancel(run.id)
    site.thaw(process)
    assert site.ended(run).state.is_cancelled()
    for child in site.children(run).values():
        assert site.ended(child).state.is_final()
    until_ended([process])
    assert latest(site) == before
    assert summary(site, "2026-03-05")["status"] == "interrupted"


def test_when_its_worker_is_stopped_no_run_shows_as_running(site: Site) -> None:
    run = site.night(run_date="2026-03-05", models=FEW)
    process = site.frozen("item_knn")
    started = site.processes["worker-cpu"]
    site.processes["worker-cpu"].terminate()
    site.thaw(process)
    assert started.wait(PATIENCE) == 0
    assert site.read(run).state.is_crashed()
    for child in site.children(run).values():
        assert site.ended(child).state.is_final()
    site.start_worker("cpu")
    again = site.ended(site.night(run_date="2026-03-05", models=FEW))
    assert again.state.is_completed(), again.state.message


def test_a_night_survives_a_restart_of_the_server(site: Site) -> None:
    run = site.night(run_date="2026-03-06", models=FEW)
    process = site.frozen("item_knn")
    site.kill("server")
    process.resume()
    until_ended([process])
    site.start_server()
    run = site.ended(run)
    assert run.state.is_completed(), run.state.message
    assert summary(site, "2026-03-06")["status"] == "published"
