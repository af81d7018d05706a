"""Off-policy values: what tonight's candidates would have earned where exploration drew a place of a list."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from tasks.exposures.settings import FeedbackSettings
from tasks.offpolicy.evaluation import Champion, evaluate
from tasks.offpolicy.reading import draws_of, logs_of
from tasks.offpolicy.values import OffPolicySummary
from tasks.store.events import log_event
from tasks.store.files import Json
from tasks.store.manifests import Manifest
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of


def offpolicy_of(
    night: Night,
    settings: FeedbackSettings,
    cutoff: datetime,
    candidates: Sequence[str],
    champion: Champion | None,
    fresh: bool = False,
) -> OffPolicySummary | None:
    """The off-policy values of a night; None where nothing was drawn or logged, which costs nothing.

    A log that cannot be read costs the values, and not the night.

    Args:
        night: the night's folder.
        settings: how many days count.
        cutoff: when the night's data end.
        candidates: the names of tonight's candidates.
        champion: the champion; None before the first export.
        fresh: do it again, whatever is there.
    """
    if draws_of(night, settings.ope_days) and logs_of(night, settings.ope_days):
        try:
            found = offpolicy(night, settings, cutoff, candidates, champion, fresh)["summary"]
        except duckdb.Error as error:
            why = str(error).partition("\n")[0][:200]
            log_event("offpolicy", "note", f"no off-policy values, as feedback/ cannot be read: {why}")
        else:
            return OffPolicySummary.of(found) if "values" in found else None
    shutil.rmtree(night.offpolicy, ignore_errors=True)  # of an earlier run, which had some
    return None


@stage_task("offpolicy")
def offpolicy(
    night: Night,
    settings: FeedbackSettings,
    cutoff: datetime,
    candidates: Sequence[str],
    champion: Champion | None,
    fresh: bool = False,
) -> Manifest[Json]:
    """Bring `offpolicy/` up to date with the log and with what was proposed."""
    files = [draw.path for draw in draws_of(night, settings.ope_days)] + logs_of(night, settings.ope_days)

    def build(out: Path) -> Json:
        found = evaluate(night, cutoff, settings.ope_days, candidates, champion, out)
        if found is None:
            return {"message": "nothing that was drawn was seen"}
        return found.json_ready()

    return logged_stage(
        "offpolicy",
        night.offpolicy,
        build,
        code=code_of(__name__),
        inputs={"files": [_state(path, night) for path in files]},
        parameters={
            "days": settings.ope_days,
            "cutoff": cutoff.isoformat(),
            "candidates": list(candidates),
            "champion": champion,
        },
        fresh=fresh,
    )


def _state(path: Path, night: Night) -> tuple[str, int, int]:
    """What tells whether a file is still what it was: its hash would cost a second for each night."""
    about = path.stat()
    return str(path.relative_to(night.store.root)), about.st_size, about.st_mtime_ns
