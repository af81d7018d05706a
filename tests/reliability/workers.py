"""A worker is killed in each state of a run, and is back at once: no night hangs, and each costs what is promised."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import FlowRun

from tests.deployments.live import Site
from tests.deployments.stack import CONFIG, NIGHTLY, running
from tests.reliability.harness import Report, Row
from tests.waiting import until

BEGIN, LOST, OUTAGE = 30, 20, 180  # seconds of the settings below
SETTINGS = f"""
[workers]
begin_minutes = {BEGIN / 60}
lost_seconds = {LOST}
outage_minutes = {OUTAGE / 60}
poll_seconds = 0.5
"""
WORK = 180  # seconds that the rest of such a night may take, on a machine that has other things to do
OF_MODEL = {  # the states in which the worker of a model is killed, and what that may cost
    "Scheduled": 0,
    "Pending": BEGIN,
    "Submitting": BEGIN,
    "Running": LOST,
    "Cancelling": LOST,
}
OF_NIGHT = ("Submitting", "Running")  # of the night itself, which then goes on by hand
MINUTE = 60  # by which Prefect evaluates what did not happen


class Factory:
    """What the stack asks pytest for: folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mktemp(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=name, dir=self.folder))


def main(arguments: list[str]) -> Report:
    """Options: --only NAME, one of the states."""
    parser = argparse.ArgumentParser(prog="workers", description=__doc__)
    parser.add_argument("--only")
    only = parser.parse_args(arguments).only
    report = Report()
    config = CONFIG.partition("[workers]")
    rest = config[2].partition("\n\n")[2]
    with tempfile.TemporaryDirectory(prefix="nightrec-workers-") as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.deployments.stack.CONFIG", f"{config[0]}{SETTINGS}\n{rest}")
        with running(cast(pytest.TempPathFactory, Factory(Path(name)))) as site:
            day = date(2026, 3, 1)
            for state, cost in OF_MODEL.items():
                if only in (None, state):
                    report.rows.append(model_killed(site, day, state, cost, report.broken))
                day += timedelta(days=1)
            for state in OF_NIGHT:
                if only in (None, f"night {state}"):
                    report.rows.append(night_killed(site, day, state, report.broken))
                day += timedelta(days=1)
    return report


def model_killed(site: Site, day: date, state: str, cost: int, broken: list[str]) -> Row:
    """Kill the worker of a model in this state of its run, start it again, and see the night to its end.

    The model is the champion of the nights before, so that one that is left out is tried once more.
    """
    run = night(site, day)
    name = f"train-item_knn-{day}"
    child = until(f"{name} is sent", lambda: site.children(run).get(name), every=0.2)
    seen = follow(site, child, (lambda: site.cancel(child.id)) if state == "Cancelling" else None, state)
    site.kill("worker-gpu")
    begun = time.monotonic()
    site.start_worker("gpu", "--gpu", "")
    ended = site.ended(run)
    seconds = time.monotonic() - begun
    failed = record(site, day).get("failed", {})
    became = "left out" if "item_knn" in failed else "trained"
    ok = bool(ended.state and ended.state.is_completed())
    if not ok or seconds > cost + WORK or became != "trained":
        broken.append(f"the worker died in {seen}, and the night {ended.state and ended.state.name} in {seconds:.0f} s")
    why = f": {failed['item_knn']}" if failed else ""
    return row(f"{seen}, of a model", cost, f"{became}{why}", seconds, ended)


def night_killed(site: Site, day: date, state: str, broken: list[str]) -> Row:
    """Kill the worker of a night in this state of it; it is found dead, and run again it goes on."""
    run = night(site, day)
    seen = follow(site, run, None, state)
    site.kill("worker-cpu")
    begun = time.monotonic()
    site.start_worker("cpu")
    ended = site.ended(run)
    seconds = time.monotonic() - begun
    again = site.ended(night(site, day))
    if not (ended.state and ended.state.is_crashed() and again.state and again.state.is_completed()):
        broken.append(f"the worker of a night died in {seen}, and it is {again.state and again.state.name}")
    if seconds > OUTAGE + 2 * MINUTE:
        broken.append(f"the worker of a night died in {seen}, and that was found after {seconds:.0f} s")
    return row(f"{seen}, of a night", OUTAGE, "the night run again is published", seconds, ended)


def row(state: str, deadline: int, became: str, seconds: float, ended: FlowRun) -> Row:
    name = ended.state.name if ended.state else None
    return {"killed in": state, "deadline s": deadline, "then": became, "night": str(name), "after s": round(seconds)}


def night(site: Site, day: date) -> FlowRun:
    return site.run(NIGHTLY, options={"run_date": str(day), "models": ["item_knn"], "k": 7})


def follow(site: Site, run: FlowRun, act: "Callable[[], None] | None", state: str) -> str:
    """Wait until a run is in a state, which may want something to be done first; the state that it is in."""
    if act is not None:
        until("it runs", lambda: of(site, run) == "Running", every=0.1)
        act()
    order = ["Scheduled", "Late", "Pending", "Submitting", "Running", "Cancelling", "Completed"]
    return until(f"it is {state}", lambda: reached(of(site, run), state, order), every=0.05)


def reached(now: str, wanted: str, order: list[str]) -> str | None:
    """The state, if it is the one that is waited for or one after it, which was quicker than the question."""
    return now if now not in order or order.index(now) >= order.index(wanted) else None


def of(site: Site, run: FlowRun) -> str:
    state = site.read(run).state
    assert state is not None
    return str(state.name)


def record(site: Site, day: date) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((site.store / "nights" / str(day) / "night.json").read_text())
    return content
