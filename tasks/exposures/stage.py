"""What was shown, joined to what was published: each exposure with the arm, policy and propensity of its row."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from recmodels.data import layout
from recmodels.messages import counted
from tasks.exposures.joined import SECOND, Joining, Tally
from tasks.exposures.log import log_files, write_log
from tasks.exposures.settings import FeedbackSettings
from tasks.store.duckdb import connect
from tasks.store.manifests import Manifest, finished, outputs
from tasks.store.paths import Night
from tasks.store.publications import publications
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import ExposuresSummary
from tasks.store.versions import code_of

MEMORY = "2GB"  # of DuckDB, which spills beyond it


def exposures_of(
    night: Night, settings: FeedbackSettings, cutoff: datetime, prepared: Manifest, valid: Manifest, fresh: bool = False
) -> Manifest[ExposuresSummary] | None:
    """The exposures of a night; None where a site logs none and asks for no assumed ones, which pays nothing."""
    if settings.assume_exposures or (night.valid / "exposures.parquet").exists():
        return exposures(night, settings, cutoff, prepared, valid, fresh)
    shutil.rmtree(night.exposures, ignore_errors=True)  # of an earlier run, which had some
    return None


@stage_task("exposures")
def exposures(
    night: Night,
    settings: FeedbackSettings,
    cutoff: datetime,
    prepared: Manifest,
    valid: Manifest,
    fresh: bool = False,
) -> Manifest[ExposuresSummary]:
    """Bring `features/exposures/` up to date with the valid tables and with what was published before the cutoff."""
    published = publications(night.store, cutoff)

    def build(out: Path) -> ExposuresSummary:
        return write_exposures(night, settings, cutoff, out)

    there = [(one.export_id, one.since.isoformat(), night.store.export(one.export_id).is_dir()) for one in published]
    inputs = outputs(prepared=prepared, valid=valid) | {"published": there}
    parameters = settings.model_dump(exclude={"ope_days", "keep_days"}) | {"cutoff": cutoff.isoformat()}
    return logged_stage(
        "exposures",
        night.exposures,
        build,
        code=code_of(__name__),
        inputs=inputs,
        parameters=parameters,
        fresh=fresh,
        beside=log_files(night),
    )


def write_exposures(night: Night, settings: FeedbackSettings, cutoff: datetime, out: Path) -> ExposuresSummary:
    """Write the exposures of a night, logged or else assumed, and say what became of them."""
    logged = (night.valid / "exposures.parquet").exists()
    with connect(out, MEMORY) as db:
        joining = Joining(db, night.store, night.valid, night.prepared, publications(night.store, cutoff))
        if logged:
            tally = joining.logged()
        else:
            since = _last_night(night, cutoff)
            tally = joining.assumed(_micros(since), _micros(cutoff), settings.seen_places)
        joining.write(out / layout.EXPOSURES)
        db.execute("DROP TABLE joined; DROP TABLE shown")
        added = write_log(db, night, settings, cutoff, out / layout.EXPOSURES)
    return {**asdict(tally), "assumed": not logged, "logged": added, "message": message(tally, assumed=not logged)}  # type: ignore[typeddict-item]


def message(tally: Tally, *, assumed: bool) -> str:
    """What became of the exposures, in a sentence."""
    if assumed:
        return f"{counted(tally.joined, 'exposure')} assumed, as the site logs none"
    others = {
        "at another rank of the list": tally.moved,
        "not in the user's list": tally.unpublished,
        "of exports that are gone": tally.gone,
        "of unknown users or items": tally.unknown,
        "before anything was published": tally.early,
    }
    rest = ", ".join(f"{n:,} {why}" for why, n in others.items() if n)
    said = f"{tally.joined:,} of {counted(tally.exposures, 'exposure')} as published"
    return f"{said}; {rest}" if rest else said


def exposure_notes(night: Night) -> list[str]:
    """What people should know of a night's exposures: that they are assumed, or that most are of no published row."""
    done: Manifest[ExposuresSummary] | None = finished(night.exposures)
    if done is None:
        return []
    found = done["summary"]
    if found["assumed"]:
        return [f"exposures: {found['message']} (feedback.assume_exposures): what is made of them is a guess"]
    if 2 * found["joined"] >= found["exposures"]:
        return []
    return [f"exposures: {found['message']}; docs/feedback.md has what each may be"]


def _last_night(night: Night, cutoff: datetime) -> datetime:
    """When the night before ended; a day before the cutoff, where there was none."""
    before = [one.run_date for one in night.store.all_nights() if one.run_date < night.run_date]
    days = (night.run_date - before[-1]).days if before else 1
    return cutoff - timedelta(days=days)


def _micros(instant: datetime) -> int:
    return int(instant.timestamp()) * SECOND
