"""A whole replay: the tables of its range once, its nights side by side, and what they come to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from recmodels.errors import NightrecError
from recmodels.messages import counted
from tasks.ingest.reading.inputs import Inputs
from tasks.ingest.stage import ingest
from tasks.replay.night import clean
from tasks.replay.pool import outcomes
from tasks.replay.result import write_result
from tasks.replay.settings import ReplaySpec
from tasks.store.events import log_event
from tasks.store.files import Json, private_folder, write_json
from tasks.store.leftovers import of_night, remove
from tasks.store.paths import Store
from tasks.validate.stage import validate

SETTINGS, LOCK = "settings.json", ".lock"


def run_replay(spec: ReplaySpec, inputs: Inputs, ended: Callable[[Json], None] = lambda night: None) -> Json:
    """Bring a replay up to date, and return what it has found; `ended` is called with what became of each night.

    Raises:
        DataRefused: the tables of the range were refused, or no night can be measured.
        NightrecError: no night could be measured, or another process is at this replay.
    """
    with _alone(spec):
        _sweep(spec)
        write_json(spec.root / SETTINGS, spec.model_dump(mode="json"))
        prepare_range(spec, inputs)
        dates = list(spec.dates)
        log_event("replay", "note", f"{counted(len(dates), 'night')} from {spec.first} to {spec.last}")
        found: dict[date, Json] = {}
        for night in outcomes(spec, spec.root / SETTINGS, dates):
            run_date = date.fromisoformat(night["run_date"])
            found[run_date] = night
            _log(night)
            ended(night)
            if spec.chained:  # the next one may start from this one's models
                _clean_before(spec, run_date)
        for folder in (spec.root / "data", spec.root / "logs"):
            remove(folder)
        return write_result(spec, [found[run_date] for run_date in dates])


def prepare_range(spec: ReplaySpec, inputs: Inputs) -> None:
    """Ingest and validate the tables of the whole range, once.

    How old and how many the interactions are is a question for each night, and which exposures there were is not asked.
    """
    cutoff = spec.cutoff(spec.end)
    asked = spec.validation.model_copy(update={"max_staleness_days": None, "volume_tolerance": None})
    given = inputs.model_copy(update={"exposures": None})
    raw = ingest.fn(spec.data, given, cutoff, spec.fresh, spec.validation.earliest)
    validate.fn(spec.data, asked, cutoff, raw, spec.fresh)


def _log(night: Json) -> None:
    event = {"measured": "done", "before": "skipped"}.get(night["status"], "failed")
    text = night.get("reason") or "; ".join(f"{name} failed: {why}" for name, why in night.get("failed", {}).items())
    log_event(f"replay {night['run_date']}", event, text, night.get("seconds", 0.0))


def _clean_before(spec: ReplaySpec, run_date: date) -> None:
    for night in spec.store.all_nights():
        if night.run_date < run_date:
            clean(night)


def _sweep(spec: ReplaySpec) -> None:
    """Remove what a replay that was killed has left half-written."""
    for store in (spec.store, spec.data.store):
        for night in store.all_nights():
            for path in of_night(night):
                remove(path)


def is_running(store: Store) -> bool:
    """Whether a process of this machine is at the replay that a folder is of."""
    try:
        with (store.root / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def _alone(spec: ReplaySpec) -> Iterator[None]:
    """Keep other processes of this machine off the replay's folder, and other users from reading it.

    What is written is for the store's user alone, or for its group where the group may write into the store.
    """
    site = spec.root.parents[1]
    private_folder(site)
    before = os.umask(0o007 if site.stat().st_mode & 0o020 else 0o077)
    try:
        spec.root.mkdir(parents=True, exist_ok=True)
        with (spec.root / LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise NightrecError(
                    f"Another process is at the replay {spec.name}: wait for it, or give this one a --name of its own."
                ) from None
            yield
    finally:
        os.umask(before)
