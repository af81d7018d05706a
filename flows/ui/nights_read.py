"""What the pages know of each night: read once, and again when one of its files has changed.

A night that is running, damaged or half written is shown as far as it can be read, with a sentence about the rest.
"""

import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from tasks.compare.decision import Decision
from tasks.evaluate.summary import Figure
from tasks.report.record import NightRecord, NightStatus
from tasks.store.exports import manifest_of, pointer_of, whole_exports
from tasks.store.files import read_json
from tasks.store.ids import age_order
from tasks.store.lease import STALE, machine
from tasks.store.paths import Night, Store
from tasks.store.records import Lease, Pointer, read
from tasks.train.settings import PRIMARY

DAMAGED = "damaged"
BASELINES = ("popularity_7d", "popularity")  # what a model is to beat, the first that was measured


@dataclass(frozen=True)
class NightSeen:
    """A night, as far as it could be read.

    Attributes:
        status: as `NightStatus` says, or `DAMAGED`.
        model: whose lists it published, or would have.
        figures: the model's, by metric.
        baseline: the figures of what sold most, by metric.
        export_id: the last that was published of it, if that is still there.
        churn: the share of the lists that the export before did not have.
        trouble: why something of it cannot be shown; empty where all can.
    """

    run_date: date
    status: str
    reason: str = ""
    verdict: str = ""
    model: str = ""
    k: int | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    baseline: Mapping[str, Figure] = field(default_factory=dict)
    models: Mapping[str, float] = field(default_factory=dict)
    export_id: str = ""
    started_at: str | None = None
    seconds: float | None = None
    rows: int | None = None
    users: int | None = None
    interactions: int | None = None
    quarantined: int | None = None
    churn: float | None = None
    warnings: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def published(self) -> bool:
        """Whether readers were given its lists."""
        return self.status == NightStatus.PUBLISHED

    @property
    def failed(self) -> bool:
        """Whether it ended without what it was to do."""
        return self.status in (NightStatus.FAILED, NightStatus.INTERRUPTED, DAMAGED)


class NightsRead:
    """The nights of a store, each read when it is first asked for and when it has changed since."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._read: dict[date, tuple[object, NightSeen]] = {}
        self._exports: tuple[object, dict[date, str]] = ((), {})
        self._lock = threading.Lock()

    def all(self) -> list[NightSeen]:
        """All nights that have left something, oldest first."""
        days = {night.run_date for night in self.store.nights()} | set(self.store.histories())
        seen = [self.of(day) for day in sorted(days)]
        return [one for one in seen if one is not None]

    def of(self, day: date) -> NightSeen | None:
        """A night; None where it has left nothing."""
        night, export_id = self.store.night(day), self.newest_exports().get(day, "")
        stamp = (_stamp(night.summary), _stamp(self.store.history(day)), export_id)
        with self._lock:
            known = self._read.get(day)
        if known is None or known[0] != stamp:
            if stamp[:2] == (None, None):
                return None
            known = (stamp, seen(night, export_id))
            with self._lock:
                self._read[day] = known
        found = known[1]
        if found.status == NightStatus.RUNNING and not is_at_work(self.store):
            return replace(found, status=NightStatus.INTERRUPTED.value, reason="its process was killed")
        return found

    def newest_exports(self) -> dict[date, str]:
        """The last export of each night that is still there."""
        stamp = (_stamp(self.store.exports), _stamp(self.store.exports / "manifests"))
        with self._lock:
            if self._exports[0] == stamp:
                return self._exports[1]
        found = {date.fromisoformat(age_order(one)[0]): one for one in whole_exports(self.store)}
        with self._lock:
            self._exports = (stamp, found)
        return found

    def beside(self, day: date) -> tuple[date | None, date | None]:
        """The nights before and after a night."""
        days = [one.run_date for one in self.all()]
        before, after = [one for one in days if one < day], [one for one in days if one > day]
        return before[-1] if before else None, after[0] if after else None

    def pointer(self) -> Pointer | None:
        """What readers are pointed to."""
        return pointer_of(self.store)


def is_at_work(store: Store) -> bool:
    """Whether a night is running, by the signs that it leaves; unlike `in_use`, this writes nothing."""
    lease = read(store.lease, Lease)
    try:
        silent = time.time() - store.lease.stat().st_mtime
    except OSError:
        return False
    here = lease is not None and lease["machine"] == machine() and lease["host"] == socket.gethostname()
    return lease is not None and silent < STALE and (not here or psutil.pid_exists(lease["pid"]))


def seen(night: Night, export_id: str) -> NightSeen:
    """A night as its record and the history tell of it."""
    trouble = ""
    record = None
    try:
        record = NightRecord.of_night(night)
    except NightrecError as error:
        trouble = f"{error} Run the night again to have its record."
    else:
        if record is None and night.summary.exists():
            trouble = f"{night.summary} is damaged: run the night again to have its record."
    export = (manifest_of(night.store, export_id) if export_id else None) or {}
    if record is None:
        model = str(export.get("champion", ""))
        status = NightStatus.PUBLISHED.value if export else DAMAGED if trouble else NightStatus.COMPARED.value
        past, wrong = _of_history(night)
        return NightSeen(
            night.run_date, status, model=model, figures=past.get(model, {}), baseline=_baseline(past),
            models=_primary(past), export_id=str(export.get("export_id", "")), trouble=trouble or wrong,
            users=export.get("users"), rows=export.get("rows"),
        )  # fmt: skip
    measured = record.models
    if record.winner is None and night.store.history(night.run_date).exists():
        measured, trouble = _of_history(night)
    gate = record.gate
    return NightSeen(
        night.run_date,
        record.status.value,
        reason=record.reason or "",
        verdict=gate.verdict.value if gate else "",
        model=record.winner or "",
        k=record.k,
        figures=measured.get(record.winner or "", {}),
        baseline=_baseline(measured, gate),
        models=_primary(measured),
        export_id=str(export.get("export_id", "")) if record.export_id else "",
        started_at=record.started_at,
        seconds=record.seconds,
        rows=record.rows,
        users=record.users,
        interactions=record.interactions,
        quarantined=record.quarantined,
        churn=gate.churn.get(record.winner or "") if gate else None,
        warnings=(*record.warnings, *record.sink_failures),
        trouble=trouble,
    )


def _baseline(measured: Mapping[str, Mapping[str, Figure]], gate: Decision | None = None) -> Mapping[str, Figure]:
    """The figures of what sold most: by the gate's word of last week, else of all time."""
    names = ([gate.baseline.name] if gate and gate.baseline else []) + list(BASELINES)
    return next((measured[name] for name in names if name in measured), {})


def _primary(measured: Mapping[str, Mapping[str, Figure]]) -> dict[str, float]:
    """Each model's accuracy, best first."""
    values = {name: figures[PRIMARY].value for name, figures in measured.items() if PRIMARY in figures}
    return dict(sorted(values.items(), key=lambda one: -one[1]))


def _of_history(night: Night) -> tuple[dict[str, dict[str, Figure]], str]:
    """The figures of all models in the history, and why they cannot be read."""
    path = night.store.history(night.run_date)
    if not path.exists():
        return {}, ""
    try:
        table = pq.read_table(path, columns=["model", "metric", "value", "low", "high", "slice"])
        rows = table.filter(pc.field("slice") == "all").to_pylist()
    except (OSError, pa.ArrowException, KeyError):
        return {}, f"{path} is damaged: run the night {night.run_date} again to have its figures."
    found: dict[str, dict[str, Figure]] = {}
    for row in rows:
        found.setdefault(row["model"], {})[row["metric"]] = Figure(value=row["value"], low=row["low"], high=row["high"])
    return found, ""


def report_of(night: Night) -> Path | None:
    """The page about a night, if there is one."""
    path = night.store.report(night.run_date)
    return path if path.is_file() and read_json(path.with_suffix(".json")) is not None else None


def _stamp(path: Path) -> tuple[int, int] | None:
    """When a file was written, and how long it is; None where it is absent."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
