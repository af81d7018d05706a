"""A night is logged once, with its candidates beneath it, and a server that is away or missing costs it nothing."""

import json
import logging
import sys
from importlib import resources
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from recmodels.errors import NightrecError
from tasks.report.mlflow import LISTS, log_night, mlflow_run
from tasks.report.settings import MlflowSettings
from tasks.store.files import write_json
from tasks.store.paths import Night, Store
from tests.tasks.site import RUN_DATE

RULES = MlflowSettings(uri="http://host:5000")


class Client:
    """What MLflow's client does for us, in memory."""

    runs: list[Any]
    away = False

    def __init__(self, tracking_uri: str) -> None:
        assert tracking_uri == RULES.uri

    def get_experiment_by_name(self, name: str) -> Any:
        if self.away:
            raise ConnectionError("http://user:secret@host:5000 is away")

    def create_experiment(self, name: str) -> str:
        return name

    def search_runs(self, experiments: list[str], filter_string: str, max_results: int) -> list[Any]:
        key, _, value = filter_string.replace("`", "").replace("'", "").removeprefix("tags.").partition(" = ")
        return [run for run in self.runs if run.tags.get(key) == value]

    def create_run(self, experiment: str, tags: dict[str, str], run_name: str) -> Any:
        run = SimpleNamespace(
            info=SimpleNamespace(run_id=len(self.runs)), name=run_name, tags=tags, metrics={}, params={}, files=[]
        )
        self.runs.append(run)
        return run

    def log_batch(self, run: int, metrics: list[Any], params: list[Any]) -> None:
        self.runs[run].metrics |= {name: value for name, value, _, _ in metrics}
        self.runs[run].params |= dict(params)

    def log_artifact(self, run: int, path: str) -> None:
        self.runs[run].files.append(path.rpartition("/")[2])
        self.runs[run].sent = [*getattr(self.runs[run], "sent", []), Path(path).read_text()]

    def set_tag(self, run: int, key: str, value: str) -> None:
        self.runs[run].tags[key] = value

    def set_terminated(self, run: int, status: str) -> None:
        self.runs[run].status = status


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    """MLflow as this process finds it."""
    mlflow, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    kind = type("Fresh", (Client,), {"runs": []})
    vars(mlflow).update(MlflowClient=kind, entities=entities)
    vars(entities).update(Metric=lambda *of: of, Param=lambda *of: of)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    return kind


@pytest.fixture
def night(tmp_path: Any) -> Night:
    """A night whose report is there: one model that won, one that failed."""
    found = Store(tmp_path).night(RUN_DATE)
    page = found.store.report(RUN_DATE)
    page.parent.mkdir()
    page.write_text("<html>")
    decision = {"winner": "ease", "verdict": "first", "reason": "x" * 600, "refused": None}
    write_json(found.evaluation / "decision.json", decision)
    ndcg = {"value": 0.25, "low": 0.2, "high": 0.3}
    recipe = {"recommender": "ease", "seed": 0, "params": {"regularization": 20.0}}
    content = {
        "run_date": "2026-03-31",
        "status": "published",
        "record": {"started_at": "2026-03-31T03:30:00+00:00", "export_id": "2026-03-31"},
        "decision": decision,
        "models": [
            {"model": "ease", "winner": True, "metrics": {"ndcg": ndcg, "gini": {"value": 0.5}}, "fit_seconds": 1.5},
            {"model": "als", "failed": "out of memory"},
        ],
        "parameters": {"models": {"ease": recipe}},
    }
    write_json(page.with_suffix(".json"), content)
    return found


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.text for record in caplog.records if getattr(record, "label", "") == "mlflow"]  # type: ignore[attr-defined]


def test_a_night_and_its_candidates_are_runs(night: Night, client: type[Client]) -> None:
    log_night(night, RULES)
    parent, ease, als = client.runs
    assert (parent.name, parent.status) == ("2026-03-31", "FINISHED")
    assert parent.files == ["2026-03-31.html", "decision.json"]
    assert parent.tags["nightrec.verdict"] == "first" and parent.tags["nightrec.export_id"] == "2026-03-31"
    assert len(parent.tags["nightrec.reason"]) == 500 and "nightrec.refused" not in parent.tags
    wanted = {"ndcg": 0.25, "ndcg_low": 0.2, "ndcg_high": 0.3, "gini": 0.5, "fit_seconds": 1.5}
    assert ease.metrics == parent.metrics == wanted
    assert ease.params == {"recommender": "ease", "seed": "0", "regularization": "20.0"}
    assert parent.params == {"model": "ease", **ease.params}
    assert [run.tags["mlflow.parentRunId"] for run in (ease, als)] == [0, 0]
    assert (ease.status, als.status, als.metrics) == ("FINISHED", "FAILED", {})


def test_the_lists_of_users_are_not_sent(night: Night, client: type[Client]) -> None:
    template = resources.files("tasks.report").joinpath("template.html.j2").read_text()
    section = next(LISTS.finditer(template))[0]
    assert "User {{ one.user_id }}" in section
    rest = "<section><h2>How the night went</h2></section>"
    night.store.report(RUN_DATE).write_text(f"<main>{section}{rest}</main>")
    log_night(night, RULES)
    assert client.runs[0].sent[0] == f"<main>{rest}</main>"


def test_a_night_is_logged_once_and_again_when_it_ran_again(night: Night, client: type[Client]) -> None:
    log_night(night, RULES)
    log_night(night, RULES)
    assert len(client.runs) == 3
    path = night.store.report(RUN_DATE).with_suffix(".json")
    content = json.loads(path.read_text())
    content["record"]["started_at"] = "later"
    write_json(path, content)
    log_night(night, RULES)
    assert len(client.runs) == 6


def test_a_refused_night_is_logged_and_one_that_is_stopped_is_not(night: Night, client: type[Client]) -> None:
    with pytest.raises(KeyboardInterrupt), mlflow_run(night, RULES):
        raise KeyboardInterrupt
    assert client.runs == []
    with pytest.raises(NightrecError), mlflow_run(night, RULES):
        raise NightrecError("refused")
    assert len(client.runs) == 3


def test_a_server_that_is_away_is_a_note_without_its_password(
    night: Night, client: type[Client], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nightrec.events")
    client.away = True
    log_night(night, RULES)
    assert told(caplog) == ["ConnectionError: the night could not be logged at http://host:5000"]


def test_without_mlflow_a_note_says_what_to_install_and_off_is_off(
    night: Night, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nightrec.events")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    log_night(night, MlflowSettings())
    assert told(caplog) == []
    log_night(night, RULES)
    assert told(caplog) == ["nothing was logged: MLflow is not installed; pip install 'nightrec[mlflow]'"]
