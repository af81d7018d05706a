"""A night next to the nights before it: who was published, how good, and how much data there was."""

from datetime import date, timedelta
from typing import Literal, NotRequired

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import TypedDict

from recmodels.errors import NightrecError
from tasks.report.record import NightRecord, NightStatus
from tasks.store.exports import manifest_of as manifest_of_export
from tasks.store.exports import pointer_of, whole_exports
from tasks.store.files import Json
from tasks.store.history import figures_of
from tasks.store.ids import age_order
from tasks.store.manifests import manifest_of
from tasks.store.paths import Night, Store
from tasks.store.records import read
from tasks.train.settings import PRIMARY

NIGHTS = timedelta(days=90)
RECENT = timedelta(days=30)
FIGURES = (PRIMARY, "recall", "coverage")


class _Ended(TypedDict):
    """What is shown of a past night's record, of which there are many: the rest is not looked at."""

    status: Literal["running", "published", "compared", "failed", "interrupted"]
    reason: NotRequired[str | None]
    seconds: NotRequired[float | None]


def nights_before(night: Night) -> list[Json]:
    """The nights of the last 90 days, this one last: how each ended, its champion and the models' figures.

    The figures are those of the history, which outlives the folders of the nights.
    """
    store, found = night.store, []
    first = night.run_date - NIGHTS + timedelta(days=1)
    histories, pointer = store.histories(), pointer_of(store)
    gone = pointer.get("withdrawn", []) if pointer else []
    exports = {age_order(name)[0]: name for name in whole_exports(store)}
    days = {*histories, *(other.run_date for other in store.nights(first))}
    shown = sorted(day for day in days if first <= day <= night.run_date)
    measured = _measured(store, [day for day in shown if day in histories])
    for day in shown:
        record = read(store.night(day).summary, _Ended)
        export = (manifest_of_export(store, exports[str(day)]) if str(day) in exports else None) or {}
        status = NightStatus(record["status"]) if record else NightStatus.PUBLISHED if export else NightStatus.COMPARED
        failed = status in (NightStatus.FAILED, NightStatus.INTERRUPTED)
        found.append(
            {
                "run_date": str(day),
                "status": "withdrawn" if export.get("export_id") in gone else status.value,
                "champion": export.get("champion"),
                "seconds": record.get("seconds") if record else None,
                "reason": record.get("reason") if record and failed else None,
                "metrics": measured.get(day, {}),
            }
        )
    return found


def record_of(night: Night) -> NightRecord | None:
    """The record of a night, if this version can read it."""
    try:
        return NightRecord.of_night(night)
    except NightrecError:
        return None


def _measured(store: Store, days: list[date]) -> dict[date, dict[str, dict[str, float]]]:
    """The figures over all users of the histories of some nights, by night, metric and model."""
    read = {day: figures_of(store, day, ["model", "metric", "value", "slice"]) for day in days}
    tables = {day: table for day, table in read.items() if table is not None}
    found: dict[date, dict[str, dict[str, float]]] = {day: {} for day in days}
    if not tables:
        return found
    night = np.repeat(np.arange(len(tables)), [len(table) for table in tables.values()])
    all_rows = pa.concat_tables(tables.values(), promote_options="permissive").append_column("night", pa.array(night))
    of_all = pc.equal(all_rows["slice"].cast(pa.string()), "all")
    wanted = pc.is_in(all_rows["metric"].cast(pa.string()), value_set=pa.array(FIGURES))
    there = list(tables)
    for row in all_rows.filter(pc.and_(of_all, wanted)).to_pylist():
        found[there[row["night"]]].setdefault(row["metric"], {})[row["model"]] = row["value"]
    return found


def data_of_nights(night: Night) -> list[Json]:
    """Good and refused rows of the nights of the last 30 days, this one last, and how old the newest row was."""
    found = []
    nights = night.store.nights(night.run_date - RECENT + timedelta(days=1))
    for other in [other for other in nights if other.run_date <= night.run_date]:
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
