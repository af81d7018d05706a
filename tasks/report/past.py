"""A night next to the nights before it: who was published, how good, and how much data there was."""

from datetime import date, timedelta

import pyarrow.compute as pc

from recmodels.errors import NightrecError
from tasks.report.record import NightRecord, NightStatus
from tasks.store.exports import newest_export
from tasks.store.files import Json
from tasks.store.history import figures_of
from tasks.store.manifests import manifest_of
from tasks.store.paths import Night, Store
from tasks.train.settings import PRIMARY

NIGHTS = timedelta(days=90)
RECENT = timedelta(days=30)
FIGURES = (PRIMARY, "recall", "coverage")


def nights_before(night: Night) -> list[Json]:
    """The nights of the last 90 days, this one last: how each ended, its champion and the models' figures.

    The figures are those of the history, which outlives the folders of the nights.
    """
    store, found = night.store, []
    histories = store.histories()
    for day in sorted({*histories, *(other.run_date for other in store.nights())}):
        if not timedelta(0) <= night.run_date - day < NIGHTS:
            continue
        record = record_of(store.night(day))
        export = newest_export(store, day) or {}
        status = record.status if record else NightStatus.PUBLISHED if export else NightStatus.COMPARED
        failed = status in (NightStatus.FAILED, NightStatus.INTERRUPTED)
        found.append(
            {
                "run_date": str(day),
                "status": status.value,
                "champion": export.get("champion"),
                "seconds": record.seconds if record else None,
                "reason": record.reason if record and failed else None,
                "metrics": _measured(store, day) if day in histories else {},
            }
        )
    return found


def record_of(night: Night) -> NightRecord | None:
    """The record of a night, if this version can read it."""
    try:
        return NightRecord.of_night(night)
    except NightrecError:
        return None


def _measured(store: Store, day: date) -> dict[str, dict[str, float]]:
    """The figures over all users of a night's history, by metric and model."""
    whole = (pc.field("slice") == "all") & pc.field("metric").isin(FIGURES)
    table = figures_of(store, day, ["model", "metric", "value", "slice"])
    found: dict[str, dict[str, float]] = {}
    for row in table.filter(whole).to_pylist() if table is not None else ():
        found.setdefault(row["metric"], {})[row["model"]] = row["value"]
    return found


def data_of_nights(night: Night) -> list[Json]:
    """Good and refused rows of the nights of the last 30 days, this one last, and how old the newest row was."""
    found = []
    nights = [other for other in night.store.nights() if timedelta(0) <= night.run_date - other.run_date < RECENT]
    for other in nights:
        manifest = manifest_of(other.valid)
        if manifest and (summary := manifest["summary"]):
            found.append(
                {
                    "run_date": str(other.run_date),
                    "rows": summary.get("rows", 0),
                    "quarantined": summary.get("quarantined", 0),
                    "newest_age_days": summary.get("newest_age_days"),
                }
            )
    return found
