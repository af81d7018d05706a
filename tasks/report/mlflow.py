"""What a night came to, for a site that follows its experiments with MLflow. Off unless a tracking server is named.

A night is a run, and each of its candidates a run beneath it. All of it is read from the report's figures; nothing
that goes wrong here costs the night.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recmodels.published.addresses import shown
from tasks.report.settings import MlflowSettings
from tasks.store.events import log_event
from tasks.store.files import Json, read_json
from tasks.store.paths import Night

ONCE = "nightrec.started_at"  # the tag by which a night is known that has been logged
LONGEST = 500  # characters of a value
MOST = 100  # values of a request
LISTS = re.compile(r"<section>\s*<h2>Some lists, before and after</h2>.*?</section>", re.DOTALL)
PATIENCE = {  # MLflow's own would keep a night waiting for an hour where its server is away
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@contextmanager
def mlflow_run(night: Night, settings: MlflowSettings) -> Iterator[None]:
    """Log a night as it ends, a refused or failed one too; not one that is being stopped."""
    try:
        yield
    except Exception:
        log_night(night, settings)
        raise
    log_night(night, settings)


def log_night(night: Night, settings: MlflowSettings) -> None:
    """Send what the report says; once for each time that a night was run."""
    if settings.uri is None:
        return
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError:
        log_event("mlflow", "note", "nothing was logged: MLflow is not installed; pip install 'nightrec[mlflow]'")
        return
    started = time.perf_counter()
    try:
        message = _send(MlflowClient(tracking_uri=settings.uri), night, settings.experiment)
    except Exception as error:  # its text may hold the address with its password
        log_event("mlflow", "note", f"{type(error).__name__}: the night could not be logged at {shown(settings.uri)}")
        return
    log_event("mlflow", "done", message, time.perf_counter() - started)


def _send(client: Any, night: Night, experiment: str) -> str:
    """Log the night and its candidates with a client of MLflow, and say what was done."""
    page = night.store.report(night.run_date)
    found = read_json(page.with_suffix(".json"))
    if found is None:
        return "there is no report to log"
    known = client.get_experiment_by_name(experiment)
    place = known.experiment_id if known else client.create_experiment(experiment)
    started = found["record"]["started_at"] or "unknown"
    if client.search_runs([place], f"tags.`{ONCE}` = '{started}'", max_results=1):
        return "logged before"
    decision = found["decision"]
    tags = {"nightrec.run_date": found["run_date"], "nightrec.status": found["status"]}
    said = {key: decision.get(key) for key in ("winner", "verdict", "reason", "refused")}
    said |= {"warnings": " ".join(decision.get("warnings", []))}
    said |= {"export_id": found["record"].get("export_id")}
    tags |= {f"nightrec.{key}": value for key, value in said.items() if value}
    # The tag that says so comes last of all: a night that could not be sent whole is sent again.
    parent = client.create_run(place, tags=_texts(tags), run_name=found["run_date"]).info.run_id
    for row in found["models"]:
        recipe = found["parameters"]["models"].get(row["model"], {})
        above = {"mlflow.parentRunId": parent, "nightrec.run_date": found["run_date"]}
        run = client.create_run(place, tags=above, run_name=f"{found['run_date']} {row['model']}").info.run_id
        _put(client, run, _figures_of(row), _parameters_of(recipe))
        client.set_terminated(run, "FAILED" if "failed" in row else "FINISHED")
        if row.get("winner"):
            _put(client, parent, _figures_of(row), {"model": row["model"]} | _parameters_of(recipe))
    if page.exists():
        _log_page(client, parent, page)
    for path in (night.evaluation / "decision.json", night.evaluation / "comparison.parquet"):
        if path.exists() and decision:
            client.log_artifact(parent, str(path))
    client.set_tag(parent, ONCE, started)
    client.set_terminated(parent, "FINISHED" if found["status"] in ("published", "compared") else "FAILED")
    return f"the night and {len(found['models'])} candidates as runs of {experiment}"


def _log_page(client: Any, run: str, page: Path) -> None:
    """Send the page without the users' lists that it shows: nobody could forget them there."""
    with TemporaryDirectory(prefix="nightrec-page-") as folder:
        sent = Path(folder) / page.name
        sent.write_text(LISTS.sub("", page.read_text(encoding="utf-8")), encoding="utf-8")
        client.log_artifact(run, str(sent))


def _figures_of(row: Json) -> dict[str, float]:
    """A candidate's figures, with the ends of their intervals, and what it took."""
    found = {}
    for metric, figure in row.get("metrics", {}).items():
        found[metric] = figure["value"]
        found |= {f"{metric}_{end}": figure[end] for end in ("low", "high") if figure.get(end) is not None}
    costs = ("fit_seconds", "list_seconds", "peak_bytes")
    return found | {name: row[name] for name in costs if row.get(name) is not None}


def _parameters_of(recipe: Json) -> dict[str, str]:
    """A candidate's recommender, hyper-parameters and seed, as texts."""
    known = {key: recipe[key] for key in ("recommender", "seed") if key in recipe}
    return _texts(known | recipe.get("params", {}))


def _put(client: Any, run: str, figures: Mapping[str, float], parameters: Mapping[str, str]) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    values = [Metric(name, float(value), now, 0) for name, value in figures.items()]
    params = [Param(name, value) for name, value in parameters.items()]
    for at in range(0, max(len(values), len(params)), MOST):
        client.log_batch(run, metrics=values[at : at + MOST], params=params[at : at + MOST])


def _texts(tags: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value)[:LONGEST] for name, value in tags.items()}
