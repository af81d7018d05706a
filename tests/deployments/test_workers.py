"""Nights on real workers: a server, two pools with a worker each, one store.

All are of the date of the scheduled one, so that what comes before training is done once.
"""

import json
import shutil
from datetime import date
from itertools import chain
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun

from tasks.store.paths import Store
from tests.deployments.live import Site
from tests.deployments.stack import NIGHTLY, Nights
from tests.waiting import PATIENCE, is_alive, until_ended

pytestmark = pytest.mark.server


def night(site: Site, day: date, *trained: str) -> FlowRun:
    """A night in which `item_knn` competes with popularity alone; these are to be trained, whatever was before."""
    tonight = Store(site.store).night(day)
    for made in [of(name) for name in trained for of in (tonight.model, tonight.toplists)]:
        shutil.rmtree(made, ignore_errors=True)
    return site.run(NIGHTLY, options={"run_date": str(day), "models": ["item_knn"], "k": 7})


def summary(site: Site, day: date) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((site.store / "nights" / str(day) / "night.json").read_text())
    return content


def latest(site: Site) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((site.store / "exports/latest.json").read_text())
    return content


def test_each_model_is_trained_by_the_worker_of_its_pool(site: Site, nights: Nights) -> None:
    run, day = nights.scheduled, nights.date
    children = site.children(run)
    winner = summary(site, day)["winner"]
    trained = {f"train-{model}-{day}" for model in ("popularity", "item_knn")}
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
    assert len(list((site.store / "exports").glob(f"{nights.date}*"))) == 1
    assert site.children(nights.by_hand) == {}  # the second had nothing to do, and asked no worker for anything


def test_when_the_night_is_cancelled_nothing_goes_on(site: Site, nights: Nights) -> None:
    before = latest(site)
    run = night(site, nights.date, "item_knn")
    [(_, process)] = site.frozen("item_knn")
    site.cancel(run.id)
    site.thaw(process)
    assert site.ended(run).state.is_cancelled()
    for child in site.children(run).values():
        assert site.ended(child).state.is_final()
    until_ended([process])
    assert latest(site) == before
    assert summary(site, nights.date)["attempts"][-1]["status"] == "interrupted"


def test_when_its_worker_is_stopped_no_run_shows_as_running(site: Site, nights: Nights) -> None:
    run = night(site, nights.date, "item_knn")
    [(_, process)] = site.frozen("item_knn")
    started = site.processes["worker-cpu"]
    site.processes["worker-cpu"].terminate()
    site.thaw(process)
    assert started.wait(PATIENCE) == 0
    assert site.read(run).state.is_crashed()
    for child in site.children(run).values():
        assert site.ended(child).state.is_final()
    site.start_worker("cpu")


def test_the_night_after_goes_on_from_there_and_survives_a_restart_of_the_server_and_a_worker_that_dies(
    site: Site, nights: Nights
) -> None:
    """While there is no server, one model's training ends, and the other one's dies with its worker."""
    assert summary(site, nights.date)["attempts"][-1]["status"] == "interrupted"
    run = night(site, nights.date, "popularity", "item_knn")
    trainings = site.frozen("popularity", "item_knn")
    first = next(trainings)
    site.until_one_waits()
    site.kill("server")
    for name, process in chain([first], trainings):
        if name == "item_knn":
            site.kill("worker-gpu")
            assert not is_alive(process)
        else:
            process.resume()
            until_ended([process])
    assert list(site.folder.glob("prefect/concurrency_leases/*-*.json"))  # the night renews its slot every few minutes
    site.start_server()
    run = site.ended(run)
    assert run.state.is_completed(), run.state.message
    record = summary(site, nights.date)
    assert (record["status"], record["export_id"]) == ("published", latest(site)["export_id"])
    assert latest(site)["export_id"] == f"{nights.date}.2"
    assert record["failed"] == {"item_knn": "its worker in the pool gpu died"}
    assert "popularity" in record["models"]
    child = site.children(run)[f"train-item_knn-{nights.date}"]
    assert child.state.is_crashed()
    assert "sign of life" in child.state.message
