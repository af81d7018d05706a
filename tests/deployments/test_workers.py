"""Nights on real workers: a server, two pools with a worker each, one store."""

import json
from typing import Any

import pytest

from tests.deployments.live import Site
from tests.waiting import is_alive, until_ended

pytestmark = pytest.mark.server

FEW = ["item_knn"]  # which competes with popularity alone


def summary(site: Site, run_date: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((site.store / "nights" / run_date / "night.json").read_text())
    return content


def latest(site: Site) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((site.store / "exports/latest.json").read_text())
    return content


def test_each_model_is_trained_by_the_worker_of_its_pool(site: Site) -> None:
    run = site.ended(site.night(run_date="2026-03-01", k=7))
    assert run.state.is_completed(), run.state.message
    assert run.name == "night-2026-03-01"
    children = site.children(run)
    winner = summary(site, "2026-03-01")["winner"]
    trained = {f"train-{model}-2026-03-01" for model in ("popularity", "popularity_7d", "item_knn")}
    assert set(children) == {*trained, f"refit-{winner}-2026-03-01"}
    pools = {name: child.work_pool_name for name, child in children.items()}
    assert pools["train-item_knn-2026-03-01"] == "gpu"
    assert pools["train-popularity-2026-03-01"] == "cpu"
    workers = {name: child.labels["prefect.worker.name"] for name, child in children.items()}
    assert workers["train-item_knn-2026-03-01"] == "gpu"
    assert workers["train-popularity-2026-03-01"] == "cpu"
    assert latest(site)["run_date"] == "2026-03-01"


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
