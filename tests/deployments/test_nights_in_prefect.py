"""A night as Prefect shows it: one flow run with a task for each stage and model, tagged, and what it found."""

import json
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterName,
)
from prefect.client.schemas.objects import TaskRun
from prefect.events.worker import EventsWorker

from tasks.store.paths import Store
from tests.deployments.live import Site
from tests.flows.running import nightrec
from tests.flows.sites import DAY, log, write
from tests.waiting import until

pytestmark = pytest.mark.server

STAGES = ["ingest", "validate", "prepare", "features-train", "features-full", "compare", "panel", "report"]
MODELS = ["popularity", "popularity_7d", "item_knn", "content"]  # without an item table, content has nothing to go by


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, prefect_server: Site) -> dict[str, Any]:
    """The flow run of a night, its task runs by name, and its artifacts by key."""
    folder = tmp_path_factory.mktemp("prefect")
    write(folder / "log.csv", log())
    models = ("--models", ",".join(MODELS[2:]))
    EventsWorker.drain_all()  # an earlier test's would go on sending what tasks tell to that test's server
    with prefect_server.client() as client:
        ran = nightrec("run", "--interactions", "log.csv", "--date", str(DAY), *models, cwd=folder)
        assert ran.code == 0, ran.err
        name = FlowRunFilterName(any_=[f"night-{DAY}"])
        [flow_run] = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=name))
        mine = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))

        def recorded() -> dict[str, TaskRun] | None:
            """All tasks, once the server has written down that the last one has ended; it takes its time."""
            tasks = {task.name: task for task in client.read_task_runs(flow_run_filter=mine, limit=200)}
            states = [task.state for task in tasks.values()]
            return tasks if "report" in tasks and all(state and state.is_final() for state in states) else None

        tasks = until("its tasks are recorded", recorded)
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
        artifacts = {artifact.key: artifact for artifact in client.read_artifacts(artifact_filter=of_run)}
    return {"flow": flow_run, "tasks": tasks, "artifacts": artifacts, "folder": folder}


def test_the_night_is_one_completed_flow_run(run: dict[str, Any]) -> None:
    assert run["flow"].state.is_completed()
    assert run["flow"].parameters["run_date"] == str(DAY)


def test_each_stage_and_model_is_a_named_task(run: dict[str, Any]) -> None:
    models = [f"train-{model}" for model in MODELS] + [f"evaluate-{model}" for model in MODELS[:3]]
    winner = json.loads((run["folder"] / "store/nights" / str(DAY) / "night.json").read_text())["winner"]
    assert set(run["tasks"]) == {*STAGES, *models, f"refit-{winner}", f"export-{winner}"}


def test_tasks_are_tagged_by_stage_and_model(run: dict[str, Any]) -> None:
    assert set(run["tasks"]["train-item_knn"].tags) == {"train", "item_knn"}
    assert set(run["tasks"]["features-full"].tags) == {"features", "full"}
    assert set(run["tasks"]["prepare"].tags) == {"prepare"}


def test_a_model_that_fails_is_a_failed_task_in_a_completed_run(run: dict[str, Any]) -> None:
    failed = run["tasks"]["train-content"]
    assert failed.state.is_failed()
    assert "no terms to compare" in failed.state.message
    assert "evaluate-content" not in run["tasks"]


def test_the_comparison_and_the_summary_are_artifacts(run: dict[str, Any]) -> None:
    table = json.loads(run["artifacts"]["model-comparison"].data)
    assert {row["model"] for row in table} == set(MODELS)
    assert next(row for row in table if row["model"] == "content")["ndcg@10"].startswith("failed: content failed:")
    assert f"# Night {DAY}" in run["artifacts"]["night-summary"].data
    page = Store(run["folder"] / "store").report(DAY)
    assert page.exists()
    assert f"`{page}`" in run["artifacts"]["report"].data
    assert f"# The gate, night {DAY}" in run["artifacts"]["decision"].data


def test_prefect_keeps_neither_frames_nor_pickles_of_results(run: dict[str, Any]) -> None:
    for task in run["tasks"].values():
        if task.state.is_completed():
            kept = task.state.data
            assert getattr(kept, "storage_key", None) is None or not Path(str(kept.storage_key)).exists()
