"""What the arms did since they began: each against `main`, night after night."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.experiments.assignment import MAIN, arms_of
from tasks.arms.compare import Correction, corrected, detectable, lasting, measured, median_return, preferred
from tasks.arms.inputs import ArmsInputs
from tasks.arms.results import ArmResult, Arms, sentence
from tasks.arms.since import mixed_in, nights_of_main
from tasks.arms.used import write_used
from tasks.arms.users import Bools, Doings, Log
from tasks.store.duckdb import connect
from tasks.store.events import log_event
from tasks.store.feedback import SHOWN, USED
from tasks.store.files import read_json, write_json
from tasks.store.manifests import Manifest, finished
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of

MEMORY = "2GB"  # of DuckDB, which spills beyond it
FIGURES = "arms.json"


def compare_arms(given: ArmsInputs, fresh: bool = False) -> Manifest | None:
    """The comparison of a night's arms; None where a site has none, which pays nothing, or it could not be made."""
    if not given.settings.groups:
        shutil.rmtree(given.night.arms, ignore_errors=True)  # of an earlier run, which had some
        return None
    return arms(given, fresh)


@stage_task("arms")
def arms(given: ArmsInputs, fresh: bool = False) -> Manifest | None:
    """Bring `arms/` up to date with what was published before the cutoff, and with what users did since."""
    night, begins = given.night, given.begins()
    began = [since for since in begins.values() if since]
    used = night.store.feedback(night.run_date) / USED

    def build(out: Path) -> Mapping[str, Any]:
        if began:
            write_used(night, min(began), given.cutoff, given.keep_days, MEMORY)
        found = compared(given, begins, out)
        write_json(out / FIGURES, found.json_ready())
        return {"message": " ".join(one.says for one in found.arms)}

    try:
        return logged_stage(
            "arms", night.arms, build, code=code_of(__name__), inputs=given.fingerprints(),
            parameters=given.parameters(), fresh=fresh, beside=[used] if began else [],
        )  # fmt: skip
    except (duckdb.Error, pa.ArrowException) as error:
        # Files of past nights may be damaged or of another version, and the lists are due tonight all the same.
        log_event("arms", "note", f"the arms are not compared: {type(error).__name__}: {str(error)[:200]}")
        shutil.rmtree(night.arms, ignore_errors=True)
        return None


def arms_of_night(night: Night) -> Arms | None:
    """What the arms of a night came to, as the stage left it; None where it has none."""
    content = read_json(night.arms / FIGURES) if finished(night.arms) else None
    return None if content is None else Arms.of(content)


def compared(given: ArmsInputs, begins: Mapping[str, datetime | None], folder: Path) -> Arms:
    """Each arm against `main` since it began. `folder` is a place to work in."""
    night, settings, cutoff = given.night, given.settings, given.cutoff
    users = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"]
    in_arm = arms_of(users.to_pylist(), settings.shares, settings.salt)
    oldest = cutoff - timedelta(days=given.keep_days)  # of what is kept of past nights
    since = {name: max(begin, oldest) if begin else None for name, begin in begins.items()}
    used, shown = given.learned(USED), given.learned(SHOWN)
    results = {name: ArmResult(arm=name, policy=arm.policy, share=arm.share) for name, arm in settings.groups.items()}
    with connect(folder, MEMORY) as db:
        log = Log(db, night, cutoff, given.features, used, shown, mixed_in(night.store, cutoff))
        for begin in sorted({one for one in since.values() if one}):
            doings = log.since(begin)
            for name in (name for name, its in since.items() if its == begin):
                of_main, nights = nights_of_main(night.store, name, begin, cutoff)
                began = begins[name] or begin  # which stays the same, however long an arm goes on
                about = {"since": began.isoformat(), "nights": nights, "nights_of_main": of_main}
                one = results[name].model_copy(update=about)
                results[name] = _result(one, doings, in_arm == name, in_arm == MAIN, len(settings.groups))
            del doings  # it is of all users: that of arms that began at another time is not held beside it
    told = [one.model_copy(update={"says": sentence(one)}) for one in results.values()]
    return Arms(arms=told, corrected=corrected(len(told)))


def _result(one: ArmResult, found: Doings, ours: Bools, main: Bools, arms: int) -> ArmResult:
    correction = Correction.of(arms, found.days)
    metrics = measured(found, ours, main, correction)
    return one.model_copy(
        update={
            "days": found.days,
            "users": int((ours & found.came).sum()),
            "metrics": metrics,
            "median_return": (median_return(found, ours), median_return(found, main)),
            "detectable": detectable(metrics[0], correction) if metrics else None,
            "lasting": lasting(found, main) if metrics else 0.0,
            "preference": preferred(found, ours, correction) if one.policy == "interleave" else None,
        }
    )
